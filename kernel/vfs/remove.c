/* SPDX-License-Identifier: ISC */
/* unlink and rmdir: who may, and in which order Linux finds fault. */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/walk.h"

static s64 may_remove(struct walk *w)
{
	if (!walk_inode(w) || !walk_dir(w))
		return -ENOSPC;
	if (!inode_ops(w->dir)->unlink)
		return -EPERM;
	s64 err = access_inode(w->dir, MAY_WRITE | MAY_EXEC);
	return err ? err : access_sticky(w->dir, w->inode);
}

static s64 unlink_name(struct walk *w)
{
	s64 err = may_remove(w);

	if (err)
		return err;
	if (S_ISDIR(w->inode->mode))
		return -EISDIR;
	if (inode_is(w->inode, INODE_MOUNT))
		return -EBUSY;
	err = inode_ops(w->dir)->unlink(w, false);
	if (err)
		return err;
	notify_inode(w->inode, IN_ATTRIB);
	notify_removed(w);
	return 0;
}

static s64 rmdir_name(struct walk *w)
{
	s64 err = may_remove(w);

	if (err)
		return err;
	if (!S_ISDIR(w->inode->mode))
		return -ENOTDIR;
	if (inode_is(w->inode, INODE_MOUNT) || w->inode == vfs_shared()->root)
		return -EBUSY;
	err = inode_ops(w->dir)->unlink(w, true);
	if (!err)
		notify_removed(w);
	return err;
}

/* ".", ".." and "/" are not names: what Linux says of each. */
static s64 not_a_name(enum walk_last last, bool dir)
{
	if (!dir)
		return -EISDIR;
	return last == LAST_DOT ? -EINVAL : last == LAST_DOTDOT ? -ENOTEMPTY : -EBUSY;
}

s64 sys_unlinkat(u64 dirfd, u64 path, u64 flags)
{
	struct walk *w;
	bool dir = flags & AT_REMOVEDIR;

	if (flags & ~(u64)AT_REMOVEDIR)
		return -EINVAL;
	s64 err = walk_user(&w, (int)dirfd, path, WALK_PARENT);
	if (err)
		return err;
	err = w->last != LAST_NAME ? not_a_name(w->last, dir) : access_mount(w->dir);
	if (!err)
		err = walk_name(w);
	if (!err && !w->found)
		err = -ENOENT;
	else if (!err && !dir && w->slash)
		err = S_ISDIR(w->mode) ? -EISDIR : -ENOTDIR;
	else if (!err)
		err = dir ? rmdir_name(w) : unlink_name(w);
	walk_free(w);
	return err;
}

s64 sys_unlink(u64 path)
{
	return sys_unlinkat((u64)AT_FDCWD, path, 0);
}

s64 sys_rmdir(u64 path)
{
	return sys_unlinkat((u64)AT_FDCWD, path, AT_REMOVEDIR);
}
