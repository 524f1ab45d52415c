/* SPDX-License-Identifier: ISC */
/*
 * The family's root directory on the host: a tmpfs with nothing but
 *
 *   /root        --root with all that is mounted below it, read-only
 *   /volumes/N   the volumes, read-only where they were granted so
 *
 * No device node in it opens and no set-user-ID bit counts. Pseudo file systems of the host (/proc,
 * /sys, /dev, ...) that lie in a granted tree are covered by an empty directory or file: an
 * ordinary user may not leave a mount out, but may mount over it. What is mounted on the host later
 * does not appear. Source: mount_setattr(2), open_tree(2), pivot_root(2), mount_namespaces(7).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/supervisor/internal.h"
#include "monitor/supervisor/namespaces.h"

/* <sys/mount.h> and <linux/mount.h> of Debian 12 exclude each other. */
int mount(const char *source, const char *target, const char *type, unsigned long flags,
		  const void *data);
int umount2(const char *target, int flags);
#define MNT_DETACH 2

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define LOCKED_DOWN (MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID)

static int open_tree(int dir_fd, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, dir_fd, path, flags | OPEN_TREE_CLOEXEC);
}

static int move_mount(int from_fd, int to_dir, const char *to)
{
	return (int)syscall(SYS_move_mount, from_fd, "", to_dir, to,
						MOVE_MOUNT_F_EMPTY_PATH | (*to ? 0 : MOVE_MOUNT_T_EMPTY_PATH));
}

/* A detached copy of a directory's mounts with nothing allowed that was not granted. */
static int tree_copy(int fd, bool read_only)
{
	struct mount_attr attr = {.attr_set = LOCKED_DOWN | (read_only ? MOUNT_ATTR_RDONLY : 0)};
	int tree = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE);

	if (tree < 0)
		return -1;
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) <
		0) {
		close(tree);
		return -1;
	}
	return tree;
}

static int tmpfs_make(void)
{
	int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC), fd;

	if (fs < 0)
		return -1;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
		syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		close(fs);
		return -1;
	}
	fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, LOCKED_DOWN | MOUNT_ATTR_NOEXEC);
	close(fs);
	return fd;
}

/* Makes *fd a detached copy. All are made before the new root is mounted over the host's. */
static int take_one(int *fd, bool read_only)
{
	int tree = tree_copy(*fd, read_only);

	if (tree < 0)
		return -1;
	close(*fd);
	*fd = tree;
	return 0;
}

static int take_all(struct family *f)
{
	int r = take_one(&f->root_fd, true);

	for (u32 i = 0; i < f->volume_count && r == 0; i++)
		r = take_one(&f->volumes[i].fd, f->volumes[i].read_only);
	return r;
}

/* tree is a descriptor of the directory at place afterwards. */
static int graft(int top, const char *place, int tree)
{
	return mkdirat(top, place, 0755) < 0 ? -1 : move_mount(tree, top, place);
}

static int graft_all(const struct family *f, int top)
{
	char place[32];

	if (graft(top, "root", f->root_fd) < 0 || mkdirat(top, "volumes", 0755) < 0 ||
		mkdirat(top, "empty", 0755) < 0 || mknodat(top, "nothing", S_IFREG | 0444, 0) < 0)
		return -1;
	for (u32 i = 0; i < f->volume_count; i++) {
		snprintf(place, sizeof(place), "volumes/%u", i + 1);
		if (graft(top, place, f->volumes[i].fd) < 0)
			return -1;
	}
	return 0;
}

/* ---- what a granted tree must not show */

/* "\040" and the like: what mountinfo makes of blanks. In place. */
static void unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3]) {
			*out++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
			text += 3;
		} else {
			*out++ = *text;
		}
	}
	*out = 0;
}

static bool type_refused(const char *type)
{
	static const char *const refused[] = {
		"proc",    "sysfs",      "devtmpfs",   "devpts",   "cgroup",    "cgroup2",    "debugfs",
		"tracefs", "bpf",        "securityfs", "efivarfs", "selinuxfs", "smackfs",    "binfmt_misc",
		"nsfs",    "hugetlbfs",  "pstore",     "resctrl",  "configfs",  "mqueue",     "fusectl",
		"xenfs",   "rpc_pipefs", "nfsd",       "autofs",   "binder",    "functionfs", "dax",
	};

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (!strcmp(refused[i], type))
			return true;
	return false;
}

/* The host's own directories of that kind, whatever is mounted there (containers have a tmpfs). */
static bool place_refused(const char *path)
{
	return !strcmp(path, "/root/proc") || !strcmp(path, "/root/sys") || !strcmp(path, "/root/dev");
}

/* --root or a volume itself, not something below. */
static bool is_granted(const char *path)
{
	return !strcmp(path, "/root") || (!strncmp(path, "/volumes/", 9) && !strchr(path + 9, '/'));
}

/* Is the mount at path still that one, and not below or behind another? Then it is covered. */
static int cover(const char *path, u64 mount_id, struct error *err)
{
	struct statx stx;
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), cloak, r = 0;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR
				   ? 0
				   : error_set(err, errno, "cannot look at the host's '%.200s'", path);
	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &stx) < 0) {
		r = error_set(err, errno, "cannot look at the host's '%.200s'", path);
	} else if (!(stx.stx_mask & STATX_MNT_ID) || stx.stx_mnt_id == mount_id) {
		cloak = open_tree(AT_FDCWD, S_ISDIR(stx.stx_mode) ? "/empty" : "/nothing", OPEN_TREE_CLONE);
		if (cloak < 0 || move_mount(cloak, fd, "") < 0)
			r = error_set(err, errno, "cannot hide the host's '%.200s'", path);
		if (cloak >= 0)
			close(cloak);
	}
	close(fd);
	return r;
}

/* One line of mountinfo (proc(5)): ID PARENT DEV ROOT PATH OPTIONS [FIELDS] - TYPE ... */
static int line_look(char *line, struct error *err)
{
	char *type = strstr(line, " - "), *path;
	unsigned long long id;
	int at = 0;

	if (!type || sscanf(line, "%llu %*s %*s %*s %n", &id, &at) != 1 || !at)
		return error_set(err, 0, "cannot read the list of mounts");
	type += 3;
	type[strcspn(type, " ")] = 0;
	path = line + at;
	path[strcspn(path, " ")] = 0;
	unescape(path);
	if (type_refused(type) && is_granted(path))
		return error_set(
			err, 0,
			"the host's %s file system cannot be %s; share a directory that is none of "
			"the host's own",
			type, !strcmp(path, "/root") ? "--root" : "a volume");
	return type_refused(type) || place_refused(path) ? cover(path, id, err) : 0;
}

/* A file of /proc as a string, read before anything is changed that it would show. */
static char *slurp(int fd)
{
	size_t room = 16384, used = 0;
	char *text = malloc(room), *more;
	ssize_t n = 1;

	while (text && n > 0) {
		if (room - used < 4096) {
			more = realloc(text, room *= 2);
			if (!more)
				free(text);
			text = more;
			continue;
		}
		n = read(fd, text + used, room - used - 1);
		used += n > 0 ? (size_t)n : 0;
	}
	if (!text || n < 0) {
		free(text);
		return NULL;
	}
	text[used] = 0;
	return text;
}

/* In the new root, which holds nothing else: what is listed is what a guest could reach. */
static int covers_make(int proc_fd, struct error *err)
{
	int fd = openat(proc_fd, "thread-self/mountinfo", O_RDONLY | O_CLOEXEC), r = 0;
	char *text = fd < 0 ? NULL : slurp(fd), *line, *rest;

	if (fd >= 0)
		close(fd);
	if (!text)
		return error_set(err, errno, "cannot read the list of mounts");
	for (line = text; r == 0 && *line; line = rest) {
		rest = line + strcspn(line, "\n");
		if (*rest)
			*rest++ = 0;
		r = line_look(line, err);
	}
	free(text);
	return r;
}

/* ---- */

static int root_build(struct family *f, struct error *err)
{
	int top;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_set(err, errno, "cannot separate the family's mounts from the host's");
	if (take_all(f) < 0)
		return error_set(err, errno, "cannot take what the family was granted from the host");
	top = tmpfs_make();
	if (top < 0 || move_mount(top, AT_FDCWD, "/") < 0)
		return error_set(err, errno, "cannot mount the family's root directory");
	if (graft_all(f, top) < 0)
		return error_set(err, errno, "cannot mount what the family was granted");
	if (fchdir(top) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
		chdir("/") < 0)
		return error_set(err, errno, "cannot leave the host's root directory");
	close(top);
	return 0;
}

int private_root_enter(struct supervisor *s, struct error *err)
{
	s->end = LINK_NO_NAMESPACES;
	if (root_build(&s->family, err) < 0)
		return -1;
	s->end = LINK_ENDED; /* what fails from here on is not for want of rights */
	if (covers_make(s->family.proc_fd, err) < 0)
		return -1;
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL) < 0)
		return error_set(err, errno, "cannot make the family's root directory read-only");
	return 0;
}
