/* SPDX-License-Identifier: ISC */
/*
 * The family's root directory on the host: a tmpfs with nothing but
 *
 *   /root        --root with all that is mounted below it, read-only
 *   /volumes/N   the volumes, read-only where they were granted so; one that is a file lies alone
 *                in that directory
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

#include "monitor/supervisor/supervisor_internal.h"
#include "monitor/supervisor/namespaces.h"

/* <sys/mount.h> and <linux/mount.h> of Debian 12 exclude each other. */
int mount(const char *source, const char *target, const char *type, unsigned long flags,
		  const void *data);
int umount2(const char *target, int flags);
#define MNT_DETACH 2

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
/* Of the list of mounts. */
#define LOOKS_MAX 200
#define LOOKS_BEHIND 8
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

/* The volume becomes the directory that holds the file and nothing else. */
static int graft_file(int top, const char *place, struct volume *v)
{
	int dir = mkdirat(top, place, 0755) < 0 ? -1 : openat(top, place, O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return -1;
	if (mknodat(dir, VOLUME_FILE_NAME, S_IFREG | 0444, 0) < 0 ||
		move_mount(v->fd, dir, VOLUME_FILE_NAME) < 0) {
		close(dir);
		return -1;
	}
	close(dir);
	close(v->fd);
	v->fd = openat(top, place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return v->fd < 0 ? -1 : 0;
}

static int graft_all(struct family *f, int top)
{
	char place[32];

	if (graft(top, "root", f->root_fd) < 0 || mkdirat(top, "volumes", 0755) < 0 ||
		mkdirat(top, "empty", 0755) < 0 || mknodat(top, "nothing", S_IFREG | 0444, 0) < 0)
		return -1;
	for (u32 i = 0; i < f->volume_count; i++) {
		snprintf(place, sizeof(place), "volumes/%u", i + 1);
		if ((f->volumes[i].is_file ? graft_file(top, place, &f->volumes[i])
								   : graft(top, place, f->volumes[i].fd)) < 0)
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

/*
 * One line of mountinfo (proc(5)): ID PARENT DEV ROOT PATH OPTIONS [FIELDS] - TYPE ... Paths may
 * be those of different moments: who owns a directory on the way can rename it meanwhile.
 */
struct mount_line {
	unsigned long long id, parent;
	char *path, *type;
	bool covered; /* by this process */
};

struct mounts {
	struct mount_line *lines;
	size_t count;
	unsigned long long *covered; /* ids; they stay what they are */
	size_t covered_count;
};

static int line_parse(char *line, struct mount_line *m, struct error *err)
{
	char *type = strstr(line, " - ");
	int at = 0;

	if (!type || sscanf(line, "%llu %llu %*s %*s %n", &m->id, &m->parent, &at) != 2 || !at)
		return error_set(err, 0, "cannot read the list of mounts");
	m->type = type + 3;
	m->type[strcspn(m->type, " ")] = 0;
	m->path = line + at;
	m->path[strcspn(m->path, " ")] = 0;
	unescape(m->path);
	return 0;
}

static const struct mount_line *line_of(const struct mounts *all, unsigned long long id)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->lines[i].id == id)
			return &all->lines[i];
	return NULL;
}

/* Does it, or what it is mounted in, have a cover? That holds whatever is renamed. */
static bool is_covered(const struct mounts *all, const struct mount_line *m)
{
	for (size_t depth = 0; m && depth <= all->count; depth++) {
		if (m->covered)
			return true;
		m = m->parent == m->id ? NULL : line_of(all, m->parent);
	}
	return false;
}

/* Is the way to m through another mount, on top of it or of a directory above it? */
static bool is_behind(const struct mounts *all, const struct mount_line *m)
{
	const struct mount_line *below = NULL; /* on the way down to where it began */

	for (size_t depth = 0; m && depth <= all->count; depth++) {
		for (size_t i = 0; i < all->count; i++) {
			const struct mount_line *other = &all->lines[i];
			size_t len = strlen(other->path);

			if (other == m || other == below || strncmp(other->path, m->path, len))
				continue;
			if (other->parent == m->id ? !m->path[len]
									   : other->parent == m->parent && m->path[len] == '/')
				return true;
		}
		below = m;
		m = m->parent == m->id ? NULL : line_of(all, m->parent);
	}
	return false;
}

/* Only the root of that very mount: 1 if it is covered now, 0 if something else was found there. */
static int cover(const struct mount_line *m, struct error *err)
{
	struct statx stx;
	int fd = open(m->path, O_PATH | O_NOFOLLOW | O_CLOEXEC), cloak, r = 0;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
				   ? 0
				   : error_set(err, errno, "cannot look at the host's '%.200s'", m->path);
	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &stx) < 0) {
		r = error_set(err, errno, "cannot look at the host's '%.200s'", m->path);
	} else if (!(stx.stx_mask & STATX_MNT_ID) ||
			   !(stx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)) {
		r = error_set(err, 0, "the host does not say which mount '%.200s' is", m->path);
	} else if (stx.stx_mnt_id == m->id && stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
		cloak = open_tree(AT_FDCWD, S_ISDIR(stx.stx_mode) ? "/empty" : "/nothing", OPEN_TREE_CLONE);
		if (cloak < 0 || move_mount(cloak, fd, "") < 0)
			r = error_set(err, errno, "cannot hide the host's '%.200s'", m->path);
		else
			r = 1;
		if (cloak >= 0)
			close(cloak);
	}
	close(fd);
	return r;
}

static int covered_note(struct mounts *all, struct mount_line *m, struct error *err)
{
	size_t count = all->covered_count;
	unsigned long long *ids = realloc(all->covered, (count + 1) * sizeof(*ids));

	if (!ids)
		return error_set(err, ENOMEM, "cannot hide the host's '%.200s'", m->path);
	ids[count] = m->id;
	all->covered = ids;
	all->covered_count = count + 1;
	m->covered = true;
	return 0;
}

/* What a look found: how sure is it that nothing of the host's shows? */
enum look { LOOK_HIDDEN, LOOK_BEHIND, LOOK_OPEN };

static int line_look(struct mounts *all, struct mount_line *m, enum look *found, struct error *err)
{
	int r;

	if (type_refused(m->type) && is_granted(m->path))
		return error_set(
			err, 0,
			"the host's %s file system cannot be %s; share a directory that is none of "
			"the host's own",
			m->type, !strcmp(m->path, "/root") ? "--root" : "a volume");
	if ((!type_refused(m->type) && !place_refused(m->path)) || is_covered(all, m))
		return 0;
	r = cover(m, err);
	if (r > 0)
		return covered_note(all, m, err);
	if (r == 0)
		*found = MAX(*found, is_behind(all, m) ? LOOK_BEHIND : LOOK_OPEN);
	return r;
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

static int lines_parse(char *text, struct mounts *all, struct error *err)
{
	size_t count = 0;
	char *line, *rest;

	for (const char *c = text; *c; c++)
		count += *c == '\n';
	all->lines = calloc(count + 1, sizeof(*all->lines));
	if (!all->lines)
		return error_set(err, ENOMEM, "cannot read the list of mounts");
	for (all->count = 0, line = text; *line; line = rest) {
		struct mount_line *m = &all->lines[all->count++];

		rest = line + strcspn(line, "\n");
		if (*rest)
			*rest++ = 0;
		if (line_parse(line, m, err) < 0)
			return -1;
		for (size_t i = 0; i < all->covered_count; i++)
			m->covered |= all->covered[i] == m->id;
	}
	return 0;
}

/* In the new root, which holds nothing else: what is listed is what a guest could reach. */
static int mounts_look(int proc_fd, struct mounts *all, enum look *found, struct error *err)
{
	int fd = openat(proc_fd, "thread-self/mountinfo", O_RDONLY | O_CLOEXEC), r;
	char *text = fd < 0 ? NULL : slurp(fd);

	if (fd >= 0)
		close(fd);
	if (!text)
		return error_set(err, errno, "cannot read the list of mounts");
	r = lines_parse(text, all, err);
	*found = LOOK_HIDDEN;
	for (size_t i = 0; r == 0 && i < all->count; i++)
		r = line_look(all, &all->lines[i], found, err);
	free(all->lines);
	free(text);
	return r;
}

/*
 * Looks until nothing of the host's shows. A directory that is renamed between the list and the
 * look is found the next time. What another mount hides cannot be covered; whether it is hidden
 * is a matter of names, so several looks in a row must say so.
 */
static int covers_make(int proc_fd, struct error *err)
{
	struct mounts all = {0};
	enum look found = LOOK_OPEN;
	u32 behind = 0;
	int r = 0;

	for (u32 i = 0; i < LOOKS_MAX && r == 0; i++) {
		r = mounts_look(proc_fd, &all, &found, err);
		behind = found == LOOK_BEHIND ? behind + 1 : 0;
		if (found == LOOK_HIDDEN || behind == LOOKS_BEHIND)
			break;
	}
	free(all.covered);
	if (r == 0 && found != LOOK_HIDDEN && behind < LOOKS_BEHIND)
		return error_set(err, 0,
						 "cannot hide a file system of the host below what was granted, because "
						 "its directories are being renamed; try again, or grant others");
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
