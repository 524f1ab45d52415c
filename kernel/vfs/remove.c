/* SPDX-License-Identifier: ISC */
/*
 * unlink and rmdir. A name that the host has too leaves a whiteout. Whether a directory of the
 * host is empty is decided from its listing, read before any lock is taken (it never changes),
 * and the whiteouts seen under its lock.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/vfs_hooks.h"
#include "kernel/vfs/walk.h"

/*
 * Takes ino's name out of w's directory, whose lock is held. spare: a node for a whiteout, NULLed
 * if used. *old: the reference that the entry held. -ENOENT: the name means something else by
 * now.
 */
static s64 name_out(struct walk *w, struct inode *ino, bool on_host, struct dirent_node **spare,
					struct dirent_node **gone)
{
	struct inode *dir = w->dir;
	struct dirent_node *e = dirent_find(dir, w->name, w->name_len);

	*gone = NULL;
	if (e ? e->inode != ino : !on_host)
		return -ENOENT;
	if (!e) {
		dirent_insert(dir, *spare, NULL);
		*spare = NULL;
	} else if (on_host) {
		dirent_set(dir, e, NULL);
	} else {
		dirent_remove(dir, e);
		*gone = e;
	}
	if (e)
		inode_put(ino); /* the entry's; the caller has one, so this never frees */
	return 0;
}

static s64 may_remove(struct walk *w)
{
	if (!walk_inode(w) || !walk_dir(w))
		return -ENOSPC;
	if (w->dir->fs == FS_PROC)
		return -EPERM;
	s64 err = access_inode(w->dir, MAY_WRITE | MAY_EXEC);
	return err ? err : access_sticky(w->dir, w->inode);
}

/* Of a directory in kin, with the permissions checked. */
static s64 kin_unlink(struct walk *w, bool on_host)
{
	struct dirent_node *spare = dirent_alloc(w->name, w->name_len), *gone = NULL;

	if (!spare)
		return -ENOSPC;
	dir_lock(w->dir);
	s64 err = name_out(w, w->inode, on_host, &spare, &gone);
	kin_unlock(&w->dir->lock);
	dirent_free(spare);
	dirent_free(gone);
	if (err)
		return err;
	inode_drop_link(w->inode);
	inode_touch(w->dir, true);
	inode_pin(w->dir);
	return 0;
}

static s64 unlink_name(struct walk *w)
{
	bool on_host = walk_name_on_host(w);
	s64 err = may_remove(w);

	if (err)
		return err;
	if (S_ISDIR(w->inode->mode))
		return -EISDIR;
	err = on_volume(w->dir) ? volume_unlink(w, 0) : kin_unlink(w, on_host);
	if (err)
		return err;
	notify_inode(w->inode, IN_ATTRIB);
	notify_name(w, w->inode, IN_DELETE, 0);
	return 0;
}

/* rename_lock and both directories' locks are held. */
static s64 dir_out(struct walk *w, bool on_host, struct dirent_node **spare,
				   struct dirent_node **gone)
{
	struct inode *victim = w->inode;

	if (victim->dir.count)
		return -ENOTEMPTY;
	s64 err = name_out(w, victim, on_host, spare, gone);
	if (err)
		return err;
	victim->flags |= INODE_DEAD;
	victim->dir.entry = NULL;
	victim->nlink = 0;
	w->dir->nlink--;
	return 0;
}

/* Of a directory in kin, with the permissions checked. */
static s64 kin_rmdir(struct walk *w, bool on_host)
{
	struct dirent_node *spare, *gone = NULL;
	s64 empty = lower_dir_empty(w->inode);
	if (empty <= 0)
		return empty ? empty : -ENOTEMPTY;
	spare = dirent_alloc(w->name, w->name_len);
	if (!spare)
		return -ENOSPC;
	rename_lock();
	dir_lock(w->dir);
	dir_lock(w->inode);
	s64 err = dir_out(w, on_host, &spare, &gone);
	kin_unlock(&w->inode->lock);
	kin_unlock(&w->dir->lock);
	kin_unlock(&vfs_shared()->rename_lock);
	dirent_free(spare);
	dirent_free(gone);
	if (err)
		return err;
	inode_unpin(w->inode);
	inode_touch(w->inode, false);
	inode_touch(w->dir, true);
	inode_pin(w->dir);
	return 0;
}

static s64 rmdir_name(struct walk *w)
{
	bool on_host = walk_name_on_host(w);
	s64 err = may_remove(w);

	if (err)
		return err;
	if (!S_ISDIR(w->inode->mode))
		return -ENOTDIR;
	if (inode_is(w->inode, INODE_MOUNT) || w->inode == vfs_shared()->root)
		return -EBUSY;
	err = on_volume(w->dir) ? volume_unlink(w, AT_REMOVEDIR) : kin_rmdir(w, on_host);
	if (!err)
		notify_name(w, w->inode, IN_DELETE, 0);
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
	err = w->last != LAST_NAME ? not_a_name(w->last, dir) : w->dir ? access_mount(w->dir) : 0;
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
