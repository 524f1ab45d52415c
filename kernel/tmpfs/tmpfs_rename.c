/* SPDX-License-Identifier: ISC */
/*
 * rename in kin: one step for everybody who looks, under rename_lock and the locks of both
 * directories. A name that a layer below has (walk.below) leaves a whiteout.
 */
#include <asm/errno.h>
#include <linux/fs.h>

#include "kernel/lib/lib.h"
#include "kernel/tmpfs/tmpfs.h"
#include "kernel/vfs/walk.h"

/* The nodes that a rename may need, and the one that is left over. */
struct nodes {
	struct dirent_node *from, *to, *gone;
	struct kin_text *was; /* the name of a directory that is replaced */
};

/*
 * The entry of a name, checked to mean what the walk found: ino, or nothing. -ENOENT, -EEXIST: it
 * changed.
 */
static s64 recheck(struct walk *w, struct inode *ino, struct dirent_node **e)
{
	*e = dirent_find(w->dir, w->name, w->name_len);
	if (*e ? (*e)->inode != ino : (ino != NULL) != w->below)
		return ino ? -ENOENT : -EEXIST;
	return 0;
}

static void set_parent(struct inode *ino, struct inode *from, struct inode *to,
					   struct dirent_node *e)
{
	if (!S_ISDIR(ino->mode))
		return;
	ino->dir.entry = e;
	if (from == to)
		return;
	inode_put(inode_parent_set(ino, to)); /* the walk holds another reference of from */
	to->nlink++;
	from->nlink--;
}

/* The new name gets the inode; the walk holds another reference of what it replaces. */
static void put_new_name(struct rename *r, struct nodes *n, struct dirent_node *e)
{
	struct inode *old = r->replaced;

	inode_get(r->moved);
	if (e) {
		dirent_set(r->to->dir, e, r->moved);
	} else {
		e = n->to;
		n->to = NULL;
		dirent_insert(r->to->dir, e, r->moved);
	}
	if (old && S_ISDIR(old->mode)) {
		old->flags |= INODE_DEAD;
		n->was = own_exchange(&old->name, n->was);
		old->dir.entry = NULL;
		old->nlink = 0;
		r->to->dir->nlink--;
	}
	set_parent(r->moved, r->from->dir, r->to->dir, e);
}

static void take_old_name(struct rename *r, struct nodes *n, struct dirent_node *e)
{
	if (!e) {
		dirent_insert(r->from->dir, n->from, NULL);
		n->from = NULL;
		return;
	}
	if (r->from->below) {
		dirent_set(r->from->dir, e, NULL);
	} else {
		dirent_remove(r->from->dir, e);
		n->gone = e;
	}
}

/* All locks are held. */
static s64 rename_locked(struct rename *r, struct nodes *n)
{
	struct dirent_node *from, *to;
	struct inode *old = r->replaced;
	s64 err = recheck(r->from, r->moved, &from);

	if (!err)
		err = recheck(r->to, old, &to);
	if (!err && (inode_is(r->to->dir, INODE_DEAD) || inode_is(r->from->dir, INODE_DEAD)))
		err = -ENOENT;
	if (err)
		return err;
	if (S_ISDIR(r->moved->mode) && dir_is_below(r->to->dir, r->moved))
		return -EINVAL;
	if (old && S_ISDIR(old->mode) && old->dir.count)
		return -ENOTEMPTY;
	put_new_name(r, n, to);
	take_old_name(r, n, from);
	return 0;
}

/* Exchange: both names stay, their inodes change places. All locks are held. */
static s64 exchange_locked(struct rename *r, struct nodes *n)
{
	struct inode *a = r->moved, *b = r->replaced;
	struct dirent_node *from, *to;
	s64 err = recheck(r->from, a, &from);

	if (!err)
		err = recheck(r->to, b, &to);
	if (err)
		return err;
	if ((S_ISDIR(a->mode) && dir_is_below(r->to->dir, a)) ||
		(S_ISDIR(b->mode) && dir_is_below(r->from->dir, b)))
		return -EINVAL;
	if (!from) {
		from = n->from;
		n->from = NULL;
		inode_get(a);
		dirent_insert(r->from->dir, from, a);
	}
	if (!to) {
		to = n->to;
		n->to = NULL;
		inode_get(b);
		dirent_insert(r->to->dir, to, b);
	}
	inode_get(b);
	dirent_set(r->from->dir, from, b);
	inode_get(a);
	dirent_set(r->to->dir, to, a);
	set_parent(a, r->from->dir, r->to->dir, to);
	set_parent(b, r->to->dir, r->from->dir, from);
	return 0;
}

static s64 with_locks(struct rename *r, struct nodes *n)
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
	s64 err = r->flags & RENAME_EXCHANGE ? exchange_locked(r, n) : rename_locked(r, n);
	if (victim)
		kin_unlock(&victim->lock);
	if (b != a)
		kin_unlock(&b->lock);
	kin_unlock(&a->lock);
	kin_unlock(&vfs_shared()->rename_lock);
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

s64 tmpfs_rename(struct rename *r)
{
	struct nodes n = {
		.from = dirent_alloc(r->from->name, r->from->name_len),
		.to = dirent_alloc(r->to->name, r->to->name_len),
	};
	bool replaces_dir = r->replaced && S_ISDIR(r->replaced->mode);
	if (replaces_dir)
		n.was = kin_text(r->to->name, r->to->name_len);
	s64 err = n.from && n.to && (n.was || !replaces_dir) ? with_locks(r, &n) : -ENOSPC;

	dirent_free(n.from);
	dirent_free(n.to);
	dirent_free(n.gone);
	own_free(n.was);
	if (err)
		return err;
	touch(r);
	inode_named(r->moved, r->to);
	if (r->flags & RENAME_EXCHANGE)
		inode_named(r->replaced, r->from);
	return err;
}
