/* SPDX-License-Identifier: ISC */
/*
 * New names: files, directories, links, nodes. Whether a name is free is decided in the end by the
 * file system, for two members may create it at once.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/walk.h"

/* Checks that hold for every new name: 0, or what Linux says. */
static s64 may_create(struct walk *w)
{
	if (w->last != LAST_NAME)
		return -EEXIST;
	if (!walk_dir(w))
		return -ENOSPC;
	s64 err = access_mount(w->dir);
	if (!err && !inode_ops(w->dir)->create)
		err = -ENOENT;
	return err ? err : access_inode(w->dir, MAY_WRITE | MAY_EXEC);
}

s64 node_create(struct walk *w, u32 mode, u64 rdev, const char *target, struct inode **out)
{
	struct inode *ino;
	s64 err = may_create(w);

	if (err)
		return err;
	err = inode_ops(w->dir)->create(w, mode, rdev, target, &ino);
	if (err)
		return err;
	notify_name(w, ino, IN_CREATE, 0);
	if (out)
		*out = ino;
	else
		inode_put(ino);
	return 0;
}

/* A path whose last name is to be made. Whether it exists comes before permissions, as on Linux. */
static s64 walk_new_name(struct walk **w, int dirfd, u64 path, bool dir)
{
	s64 err = walk_user(w, dirfd, path, WALK_PARENT);

	if (err)
		return err;
	err = (*w)->last == LAST_NAME ? walk_name(*w) : -EEXIST;
	if (!err && (*w)->found)
		err = -EEXIST;
	else if (!err && (*w)->slash && !dir)
		err = -ENOENT;
	if (err)
		walk_free(*w);
	return err;
}

s64 sys_mkdirat(u64 dirfd, u64 path, u64 mode)
{
	struct walk *w;
	s64 err = walk_new_name(&w, (int)dirfd, path, true);

	if (err)
		return err;
	mode &= 01777 & ~current->proc->kp->inherited.umask;
	err = node_create(w, S_IFDIR | (u32)mode, 0, NULL, NULL);
	walk_free(w);
	return err;
}

s64 sys_mkdir(u64 path, u64 mode)
{
	return sys_mkdirat((u64)AT_FDCWD, path, mode);
}

s64 sys_mknodat(u64 dirfd, u64 path, u64 mode, u64 dev)
{
	u32 type = mode & S_IFMT, perm = mode & 07777 & ~current->proc->kp->inherited.umask;
	struct walk *w;

	if (S_ISDIR(mode))
		return -EPERM;
	if (type == 0)
		type = S_IFREG;
	if (type != S_IFREG && type != S_IFIFO && type != S_IFSOCK && type != S_IFCHR &&
		type != S_IFBLK)
		return -EINVAL;
	s64 err = walk_new_name(&w, (int)dirfd, path, false);
	if (err)
		return err;
	/* Devices would name what the family was not given. */
	err = type == S_IFCHR || type == S_IFBLK ? -EPERM : node_create(w, type | perm, 0, NULL, NULL);
	walk_free(w);
	return err;
}

s64 sys_mknod(u64 path, u64 mode, u64 dev)
{
	return sys_mknodat((u64)AT_FDCWD, path, mode, dev);
}

s64 sys_symlinkat(u64 target, u64 dirfd, u64 path)
{
	static char text[VFS_PATH_MAX];
	struct walk *w;
	s64 n = string_in(text, (const void *)target, sizeof(text));

	if (n < 0)
		return n;
	if (n == 0)
		return -ENOENT;
	s64 err = walk_new_name(&w, (int)dirfd, path, false);
	if (err)
		return err;
	err = node_create(w, S_IFLNK | 0777, 0, text, NULL);
	walk_free(w);
	return err;
}

s64 sys_symlink(u64 target, u64 path)
{
	return sys_symlinkat(target, (u64)AT_FDCWD, path);
}

static s64 link_to(struct inode *ino, struct walk *w)
{
	if (!walk_dir(w))
		return -ENOSPC;
	s64 err = access_mount(w->dir);
	if (err)
		return err;
	if (!same_mount(w->dir, ino))
		return -EXDEV;
	err = may_create(w);
	if (!err && (S_ISDIR(ino->mode) || inode_immutable(ino) || inode_append_only(ino)))
		err = -EPERM;
	if (err)
		return err;
	if (!inode_ops(ino)->link)
		return -EPERM;
	err = inode_ops(ino)->link(ino, w);
	if (err)
		return err;
	ino->flags &= ~(u32)INODE_TMPFILE; /* once it had a name it does not get a first one again */
	notify_inode(ino, IN_ATTRIB);
	notify_name(w, ino, IN_CREATE, 0);
	return 0;
}

s64 sys_linkat(u64 olddirfd, u64 oldpath, u64 newdirfd, u64 newpath, u64 flags)
{
	struct walk *old, *w;
	u32 walk =
		(flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0) | (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);

	if (flags & ~(u64)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	s64 err = walk_user(&old, (int)olddirfd, oldpath, walk);
	if (err)
		return err;
	err = walk_new_name(&w, (int)newdirfd, newpath, false);
	if (!err) {
		if (!walk_inode(old))
			err = old->jump ? -EXDEV : -ENOSPC;
		else
			err = link_to(old->inode, w);
		walk_free(w);
	}
	walk_free(old);
	return err;
}

s64 sys_link(u64 oldpath, u64 newpath)
{
	return sys_linkat((u64)AT_FDCWD, oldpath, (u64)AT_FDCWD, newpath, 0);
}
