/* SPDX-License-Identifier: ISC */
/* rename: what holds for all file systems, in the order in which Linux finds fault. */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/walk.h"

/* What holds whatever the types: nothing goes below itself, nothing replaces its own ancestor. */
static s64 check_ancestors(struct rename *r)
{
	s64 err = 0;

	rename_lock();
	if (dir_is_below(r->to->dir, r->moved))
		err = -EINVAL;
	else if (r->replaced && dir_is_below(r->from->dir, r->replaced))
		err = r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	kin_unlock(&vfs_shared()->rename_lock);
	return err;
}

static s64 check_access(struct rename *r)
{
	struct walk *from = r->from, *to = r->to;

	if (!same_mount(from->dir, to->dir))
		return -EXDEV;
	if (!inode_ops(from->dir)->rename)
		return -EPERM;
	s64 err = access_inode(from->dir, MAY_WRITE | MAY_EXEC);
	if (!err)
		err = access_inode(to->dir, MAY_WRITE | MAY_EXEC);
	if (!err)
		err = access_sticky(from->dir, r->moved);
	if (!err && r->replaced)
		err = access_sticky(to->dir, r->replaced);
	return err;
}

static s64 check_types(struct rename *r)
{
	struct inode *moved = r->moved, *old = r->replaced;

	if (inode_is(moved, INODE_MOUNT) || (old && inode_is(old, INODE_MOUNT)))
		return -EBUSY;
	if (!old || r->flags & RENAME_EXCHANGE)
		return 0;
	if (S_ISDIR(moved->mode))
		return S_ISDIR(old->mode) ? 0 : -ENOTDIR;
	return S_ISDIR(old->mode) ? -EISDIR : 0;
}

static s64 rename_run(struct rename *r)
{
	struct walk *from = r->from, *to = r->to;

	r->moved = walk_inode(from);
	r->replaced = to->found ? walk_inode(to) : NULL;
	if (!r->moved || !walk_dir(from) || !walk_dir(to) || (to->found && !r->replaced))
		return -ENOSPC;
	s64 err = check_ancestors(r);
	if (!err)
		err = check_access(r);
	if (err)
		return err;
	if (r->moved == r->replaced)
		return 0;
	err = check_types(r);
	if (!err)
		err = inode_ops(from->dir)->rename(r);
	if (err)
		return err;
	if (r->flags & RENAME_EXCHANGE) {
		notify_rename(from, to, r->moved, NULL);
		notify_rename(to, from, r->replaced, NULL);
	} else {
		notify_rename(from, to, r->moved, r->replaced);
	}
	return 0;
}

/* Both parents are found; now the names, in the order in which Linux finds fault with them. */
static s64 rename_names(struct rename *r)
{
	struct walk *from = r->from, *to = r->to;

	if (from->dir && to->dir && !same_mount(from->dir, to->dir))
		return -EXDEV;
	if (from->last != LAST_NAME)
		return -EBUSY;
	if (to->last != LAST_NAME)
		return r->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	s64 err = access_mount(from->dir);
	if (!err)
		err = walk_name(from);
	if (!err)
		err = from->found ? walk_name(to) : -ENOENT;
	if (err)
		return err;
	if (to->found && (r->flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (!to->found && (r->flags & RENAME_EXCHANGE))
		return -ENOENT;
	if ((r->flags & RENAME_EXCHANGE) && to->slash && !S_ISDIR(to->mode))
		return -ENOTDIR;
	if (!S_ISDIR(from->mode) && (from->slash || (to->slash && !(r->flags & RENAME_EXCHANGE))))
		return -ENOTDIR;
	return rename_run(r);
}

s64 sys_renameat2(u64 olddirfd, u64 oldpath, u64 newdirfd, u64 newpath, u64 flags)
{
	struct rename r = {.flags = (u32)flags};
	s64 err;

	if (flags & ~(u64)(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
		flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	err = walk_user(&r.from, (int)olddirfd, oldpath, WALK_PARENT);
	if (err)
		return err;
	err = walk_user(&r.to, (int)newdirfd, newpath, WALK_PARENT);
	if (!err) {
		err = rename_names(&r);
		walk_free(r.to);
	}
	walk_free(r.from);
	return err;
}

s64 sys_renameat(u64 olddirfd, u64 oldpath, u64 newdirfd, u64 newpath)
{
	return sys_renameat2(olddirfd, oldpath, newdirfd, newpath, 0);
}

s64 sys_rename(u64 oldpath, u64 newpath)
{
	return sys_renameat2((u64)AT_FDCWD, oldpath, (u64)AT_FDCWD, newpath, 0);
}
