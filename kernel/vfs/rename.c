/* SPDX-License-Identifier: ISC */
/*
 * rename: one step for everybody who looks, under rename_lock and the locks of both directories.
 * Files of the host are renamed without copying them: the new entry points to the host-backed
 * inode, the old name gets a whiteout. Directories of the host do not move (EXDEV, on which mv
 * copies), because their path is what identifies them.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/vfs_hooks.h"
#include "kernel/vfs/walk.h"

struct rename {
	struct walk *from, *to;
	u32 flags;
	bool from_on_host, to_on_host;
	struct inode *moved;    /* from's inode; borrowed from the walk */
	struct inode *replaced; /* to's, or NULL */
	struct dirent_node *spare_from, *spare_to, *gone;
};

/*
 * The entry of a name, checked to mean what the walk found: ino, or nothing. -ENOENT, -EEXIST: it
 * changed.
 */
static s64 recheck(struct walk *w, struct inode *ino, bool on_host, struct dirent_node **e)
{
	*e = dirent_find(w->dir, w->name, w->name_len);
	if (*e ? (*e)->inode != ino : (ino != NULL) != on_host)
		return ino ? -ENOENT : -EEXIST;
	return 0;
}

/* Is dir at or below ancestor? rename_lock held. */
static bool is_below(struct inode *dir, struct inode *ancestor)
{
	while (dir && dir != ancestor && !inode_is(dir, INODE_MERGED))
		dir = dir->parent;
	if (!dir || dir == ancestor)
		return dir != NULL;
	u32 len = lower_len(ancestor);
	return S_ISDIR(ancestor->mode) && inode_is(ancestor, INODE_MERGED) && lower_len(dir) > len &&
		   lower_path(dir)[len] == '/' && !memcmp(lower_path(dir), lower_path(ancestor), len);
}

/* What holds whatever the types: nothing goes below itself, nothing replaces its own ancestor. */
static s64 check_ancestors(struct rename *r)
{
	s64 err = 0;

	rename_lock();
	if (is_below(r->to->dir, r->moved))
		err = -EINVAL;
	else if (r->replaced && is_below(r->from->dir, r->replaced))
		err = r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	kin_unlock(&vfs_shared()->rename_lock);
	return err;
}

static void set_parent(struct inode *ino, struct inode *from, struct inode *to,
					   struct dirent_node *e)
{
	if (!S_ISDIR(ino->mode))
		return;
	ino->dir.entry = e;
	if (from == to)
		return;
	inode_get(to);
	ino->parent = to;
	to->nlink++;
	from->nlink--;
	inode_put(from); /* the walk holds another reference */
}

/* The new name gets the inode; what it replaces loses its entry's reference. */
static void put_new_name(struct rename *r, struct dirent_node *e)
{
	struct inode *old = r->replaced;

	inode_get(r->moved);
	if (e) {
		dirent_set(r->to->dir, e, r->moved);
	} else {
		e = r->spare_to;
		r->spare_to = NULL;
		dirent_insert(r->to->dir, e, r->moved);
	}
	if (old && S_ISDIR(old->mode)) {
		old->flags |= INODE_DEAD;
		old->dir.entry = NULL;
		old->nlink = 0;
		r->to->dir->nlink--;
	}
	set_parent(r->moved, r->from->dir, r->to->dir, e);
}

static void take_old_name(struct rename *r, struct dirent_node *e)
{
	if (!e) {
		dirent_insert(r->from->dir, r->spare_from, NULL);
		r->spare_from = NULL;
		return;
	}
	if (r->from_on_host) {
		dirent_set(r->from->dir, e, NULL);
	} else {
		dirent_remove(r->from->dir, e);
		r->gone = e;
	}
	inode_put(r->moved); /* the old entry's; the new one has its own */
}

/* All locks are held. */
static s64 rename_locked(struct rename *r)
{
	struct dirent_node *from, *to;
	struct inode *old = r->replaced;
	s64 err = recheck(r->from, r->moved, r->from_on_host, &from);

	if (!err)
		err = recheck(r->to, old, r->to_on_host, &to);
	if (!err && (inode_is(r->to->dir, INODE_DEAD) || inode_is(r->from->dir, INODE_DEAD)))
		err = -ENOENT;
	if (err)
		return err;
	if (S_ISDIR(r->moved->mode) && is_below(r->to->dir, r->moved))
		return -EINVAL;
	if (old && S_ISDIR(old->mode) && old->dir.count)
		return -ENOTEMPTY;
	bool had_entry = to && to->inode;
	put_new_name(r, to);
	take_old_name(r, from);
	if (had_entry)
		inode_put(old); /* the walk holds another reference */
	return 0;
}

/* Exchange: both names stay, their inodes change places. All locks are held. */
static s64 exchange_locked(struct rename *r)
{
	struct inode *a = r->moved, *b = r->replaced;
	struct dirent_node *from, *to;
	s64 err = recheck(r->from, a, r->from_on_host, &from);

	if (!err)
		err = recheck(r->to, b, r->to_on_host, &to);
	if (err)
		return err;
	if ((S_ISDIR(a->mode) && is_below(r->to->dir, a)) ||
		(S_ISDIR(b->mode) && is_below(r->from->dir, b)))
		return -EINVAL;
	if (!from) {
		from = r->spare_from;
		r->spare_from = NULL;
		inode_get(a);
		dirent_insert(r->from->dir, from, a);
	}
	if (!to) {
		to = r->spare_to;
		r->spare_to = NULL;
		inode_get(b);
		dirent_insert(r->to->dir, to, b);
	}
	dirent_set(r->from->dir, from, b);
	dirent_set(r->to->dir, to, a);
	set_parent(a, r->from->dir, r->to->dir, to);
	set_parent(b, r->to->dir, r->from->dir, from);
	return 0;
}

static s64 with_locks(struct rename *r)
{
	struct inode *a = r->from->dir, *b = r->to->dir;
	struct inode *victim =
		r->replaced && S_ISDIR(r->replaced->mode) && !(r->flags & RENAME_EXCHANGE) ? r->replaced
																				   : NULL;

	if (victim == a || victim == b)
		return -ENOTEMPTY;
	rename_lock();
	dir_lock(a);
	if (b != a)
		dir_lock(b);
	if (victim)
		dir_lock(victim);
	s64 err = r->flags & RENAME_EXCHANGE ? exchange_locked(r) : rename_locked(r);
	if (victim)
		kin_unlock(&victim->lock);
	if (b != a)
		kin_unlock(&b->lock);
	kin_unlock(&a->lock);
	kin_unlock(&vfs_shared()->rename_lock);
	return err;
}

/* Directories that paths on the host identify stay where they are. */
static bool immovable(struct inode *ino)
{
	return S_ISDIR(ino->mode) && inode_is(ino, INODE_MERGED | INODE_MOUNT);
}

static s64 check_types(struct rename *r)
{
	struct inode *moved = r->moved, *old = r->replaced;

	if (inode_is(moved, INODE_MOUNT) || (old && inode_is(old, INODE_MOUNT)))
		return -EBUSY;
	if (immovable(moved))
		return -EXDEV;
	if (!old)
		return 0;
	if (r->flags & RENAME_EXCHANGE)
		return immovable(old) ? -EXDEV : 0;
	if (S_ISDIR(moved->mode)) {
		if (!S_ISDIR(old->mode))
			return -ENOTDIR;
		s64 empty = lower_dir_empty(old);
		return empty > 0 ? 0 : empty ? empty : -ENOTEMPTY;
	}
	return S_ISDIR(old->mode) ? -EISDIR : 0;
}

static s64 check_access(struct rename *r)
{
	struct walk *from = r->from, *to = r->to;

	if (from->dir->fs != to->dir->fs || from->dir->volume != to->dir->volume)
		return -EXDEV;
	if (from->dir->fs == FS_PROC)
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

static void touch(struct rename *r)
{
	inode_touch(r->moved, false);
	inode_touch(r->from->dir, true);
	inode_touch(r->to->dir, true);
	inode_pin(r->from->dir);
	inode_pin(r->to->dir);
	if (!r->replaced)
		return;
	if (r->flags & RENAME_EXCHANGE)
		inode_touch(r->replaced, false);
	else if (!S_ISDIR(r->replaced->mode))
		inode_drop_link(r->replaced);
	else
		inode_unpin(r->replaced);
}

/* In kin, with the permissions checked. */
static s64 kin_rename(struct rename *r)
{
	s64 err = check_types(r);

	if (err)
		return err;
	r->spare_from = dirent_alloc(r->from->name, r->from->name_len);
	r->spare_to = dirent_alloc(r->to->name, r->to->name_len);
	err = r->spare_from && r->spare_to ? with_locks(r) : -ENOSPC;
	dirent_free(r->spare_from);
	dirent_free(r->spare_to);
	dirent_free(r->gone);
	if (!err)
		touch(r);
	return err;
}

static s64 rename_run(struct rename *r)
{
	struct walk *from = r->from, *to = r->to;

	r->to_on_host = walk_name_on_host(to);
	r->from_on_host = walk_name_on_host(from);
	r->moved = walk_inode(from);
	r->replaced = to->found ? walk_inode(to) : NULL;
	if (!r->moved || !walk_dir(from) || !walk_dir(to) || (to->found && !r->replaced))
		return -ENOSPC;
	s64 err = on_volume(from->dir) ? 0 : check_ancestors(r);
	if (!err)
		err = check_access(r);
	if (err)
		return err;
	if (r->moved == r->replaced)
		return 0;
	err = on_volume(from->dir) ? volume_rename(from, to, r->flags) : kin_rename(r);
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

	if (from->dir && to->dir &&
		(from->dir->fs != to->dir->fs || from->dir->volume != to->dir->volume))
		return -EXDEV;
	if (from->last != LAST_NAME)
		return -EBUSY;
	if (to->last != LAST_NAME)
		return r->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	s64 err = from->dir ? access_mount(from->dir) : 0;
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
