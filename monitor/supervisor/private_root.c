/* SPDX-License-Identifier: ISC */
/*
 * The family's root directory on the host: a tmpfs with nothing but
 *
 *   /root        --root with all that is mounted below it, read-only
 *   /volumes/N   the volumes, read-only where they were granted so; one that is a file lies alone
 *                in that directory
 *   /empty       a directory, and
 *   /nothing     a file: covers
 *
 * No device node in it opens and no set-user-ID bit counts. Pseudo file systems of the host (/proc,
 * /sys, /dev, ...) that lie in a granted tree are covered (mount_covers.c): an ordinary user may
 * not leave a mount out, but may mount over it. What is mounted on the host later does not appear.
 * Source: mount_setattr(2), open_tree(2), pivot_root(2), mount_namespaces(7).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/supervisor/host_mounts.h"
#include "monitor/supervisor/namespaces.h"
#include "monitor/supervisor/supervisor_internal.h"

/* <sys/mount.h> and <linux/mount.h> of Debian 12 exclude each other. */
int mount(const char *source, const char *target, const char *type, unsigned long flags,
		  const void *data);
int umount2(const char *target, int flags);
#define MNT_DETACH 2

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define LOCKED_DOWN (MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID)

int tree_open(int dir_fd, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, dir_fd, path, flags | OPEN_TREE_CLOEXEC);
}

int tree_move(int tree, int to_dir, const char *to)
{
	return (int)syscall(SYS_move_mount, tree, "", to_dir, to,
						MOVE_MOUNT_F_EMPTY_PATH | (*to ? 0 : MOVE_MOUNT_T_EMPTY_PATH));
}

/* A detached copy of a directory's mounts with nothing allowed that was not granted. */
static int tree_copy(int fd, bool read_only)
{
	struct mount_attr attr = {.attr_set = LOCKED_DOWN | (read_only ? MOUNT_ATTR_RDONLY : 0)};
	int tree = tree_open(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE);

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
	return mkdirat(top, place, 0755) < 0 ? -1 : tree_move(tree, top, place);
}

/* The volume becomes the directory that holds the file and nothing else. */
static int graft_file(int top, const char *place, struct volume *v)
{
	int dir = mkdirat(top, place, 0755) < 0 ? -1 : openat(top, place, O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return -1;
	if (mknodat(dir, VOLUME_FILE_NAME, S_IFREG | 0444, 0) < 0 ||
		tree_move(v->fd, dir, VOLUME_FILE_NAME) < 0) {
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

static int root_build(struct family *f, struct error *err)
{
	int top;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_set(err, errno, "cannot separate the family's mounts from the host's");
	if (take_all(f) < 0)
		return error_set(err, errno, "cannot take what the family was granted from the host");
	top = tmpfs_make();
	if (top < 0 || tree_move(top, AT_FDCWD, "/") < 0)
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
