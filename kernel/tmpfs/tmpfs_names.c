/* SPDX-License-Identifier: ISC */
/*
 * Names in kin. An inode is complete before its entry is inserted under the directory's lock; there
 * it is decided whether the name is free, for two members may create it at once. A name that a
 * layer below has too (walk.below) leaves a whiteout when it goes.
 */
#include <asm/errno.h>

#include "kernel/lib/lib.h"
#include "kernel/tmpfs/tmpfs.h"
#include "kernel/vfs/readdir.h"
#include "kernel/vfs/walk.h"

bool tmpfs_entry(struct walk *w, const char *name, u32 len, bool *hidden)
{
	dir_lock(w->dir);
	struct dirent_node *e = dirent_find(w->dir, name, len);
	struct inode *ino = e ? e->inode : NULL;
	*hidden = e && !ino;
	if (ino)
		inode_get(ino);
	kin_unlock(&w->dir->lock);
	if (ino)
		walk_found(w, ino);
	return ino != NULL;
}

s64 tmpfs_lookup(struct walk *w, const char *name, u32 len, const char *rest)
{
	bool hidden;

	return tmpfs_entry(w, name, len, &hidden) ? 0 : -ENOENT;
}

s64 tmpfs_readlink(struct walk *w, char *buf, const char **target, struct file **jump)
{
	*target = w->inode->link;
	return w->inode->link_len;
}

/*
 * Inserts ino (reference taken over on success) under w's last name. Where a layer below has that
 * name, it exists unless there is a whiteout.
 */
static s64 link_in(struct walk *w, struct inode *ino)
{
	struct inode *dir = w->dir;
	struct dirent_node *fresh = dirent_alloc(w->name, w->name_len);
	s64 err = 0;

	if (!fresh)
		return -ENOSPC;
	dir_lock(dir);
	struct dirent_node *e = dirent_find(dir, w->name, w->name_len);
	if (inode_is(dir, INODE_DEAD))
		err = -ENOENT;
	else if (e ? e->inode != NULL : w->below)
		err = -EEXIST;
	if (!err && S_ISDIR(ino->mode)) { /* before it can be found */
		inode_ref(&ino->parent, dir);
		ino->dir.entry = e ? e : fresh;
		dir->nlink++;
	}
	if (!err && e) {
		dirent_set(dir, e, ino);
	} else if (!err) {
		dirent_insert(dir, fresh, ino);
		fresh = NULL;
	}
	kin_unlock(&dir->lock);
	dirent_free(fresh);
	if (!err) {
		inode_touch(dir, true);
		inode_pin(dir);
	}
	return err;
}

s64 tmpfs_create(struct walk *w, u32 mode, u64 rdev, const char *target, struct inode **out)
{
	struct inode *ino = inode_alloc(w->dir->fs, mode);
	s64 err = 0;

	if (!ino)
		return -ENOSPC;
	ino->dev = w->dir->dev;
	ino->volume = w->dir->volume;
	ino->rdev = rdev;
	ino->nlink = S_ISDIR(mode) ? 2 : 1;
	if (w->dir->mode & S_ISGID) {
		ino->gid = w->dir->gid;
		if (S_ISDIR(mode))
			ino->mode |= S_ISGID;
	}
	if (target) {
		ino->link_len = (u32)strlen(target);
		ino->size = ino->link_len;
		err = own_give_if(&ino->link, kin_string(target, ino->link_len)) ? 0 : -ENOSPC;
	}
	if (!err) {
		inode_get(ino); /* the entry's */
		err = link_in(w, ino);
		if (err)
			inode_put(ino);
	}
	if (err)
		inode_put(ino);
	else
		*out = ino;
	return err;
}

s64 tmpfs_create_nameless(struct inode *dir, u32 mode, bool exclusive, struct inode **out)
{
	struct inode *ino = inode_alloc(dir->fs, mode);

	if (!ino)
		return -ENOSPC;
	ino->dev = dir->dev;
	ino->volume = dir->volume;
	*out = ino;
	return 0;
}

s64 tmpfs_link(struct inode *ino, struct walk *w)
{
	if (!ino->nlink && !inode_is(ino, INODE_TMPFILE))
		return -ENOENT;
	inode_get(ino);
	inode_add_link(ino);
	s64 err = link_in(w, ino);
	if (err) {
		inode_drop_link(ino);
		inode_put(ino);
	}
	return err;
}

/*
 * Takes ino's name out of w's directory, whose lock is held. spare: a node for a whiteout, NULLed
 * if used. gone: the entry, which the caller frees. -ENOENT: the name means something else by now.
 */
static s64 name_out(struct walk *w, struct inode *ino, struct dirent_node **spare,
					struct dirent_node **gone)
{
	struct inode *dir = w->dir;
	struct dirent_node *e = dirent_find(dir, w->name, w->name_len);

	*gone = NULL;
	if (e ? e->inode != ino : !w->below)
		return -ENOENT;
	if (!e) {
		dirent_insert(dir, *spare, NULL);
		*spare = NULL;
	} else if (w->below) {
		dirent_set(dir, e, NULL);
	} else {
		dirent_remove(dir, e);
		*gone = e;
	}
	return 0;
}

static s64 unlink_file(struct walk *w)
{
	struct dirent_node *spare = dirent_alloc(w->name, w->name_len), *gone = NULL;

	if (!spare)
		return -ENOSPC;
	dir_lock(w->dir);
	s64 err = name_out(w, w->inode, &spare, &gone);
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

/* rename_lock and both directories' locks are held. */
static s64 dir_out(struct walk *w, struct dirent_node **spare, struct dirent_node **gone,
				   struct kin_text **was)
{
	struct inode *victim = w->inode;

	if (victim->dir.count)
		return -ENOTEMPTY;
	s64 err = name_out(w, victim, spare, gone);
	if (err)
		return err;
	victim->flags |= INODE_DEAD;
	*was = own_exchange(&victim->name, *was);
	victim->dir.entry = NULL;
	victim->nlink = 0;
	w->dir->nlink--;
	return 0;
}

static s64 remove_dir(struct walk *w)
{
	struct dirent_node *spare = dirent_alloc(w->name, w->name_len), *gone = NULL;
	struct kin_text *was = kin_text(w->name, w->name_len);

	if (!spare || !was) {
		dirent_free(spare);
		own_free(was);
		return -ENOSPC;
	}
	rename_lock();
	dir_lock(w->dir);
	dir_lock(w->inode);
	s64 err = dir_out(w, &spare, &gone, &was);
	kin_unlock(&w->inode->lock);
	kin_unlock(&w->dir->lock);
	kin_unlock(&vfs_shared()->rename_lock);
	own_free(was);
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

s64 tmpfs_unlink(struct walk *w, bool dir)
{
	return dir ? remove_dir(w) : unlink_file(w);
}

void tmpfs_list_entries(struct inode *dir, struct filler *fill, u64 seq, u64 base)
{
	dir_lock(dir);
	for (;;) {
		struct dirent_node *e = dirent_after(dir, seq);
		if (!e)
			break;
		seq = e->seq + 1;
		if (e->inode && !list_emit(fill, e->name, e->len, e->inode->ino,
								   list_type(e->inode->mode), base + seq))
			break;
	}
	kin_unlock(&dir->lock);
}

/* Positions: 0 and 1 are the dots, then BASE + the number of an entry. */
#define BASE 2

s64 tmpfs_list(struct file *f, struct filler *fill, u64 pos)
{
	if (list_dots(fill, f->inode, &pos, inode_parent_number(f->inode)))
		tmpfs_list_entries(f->inode, fill, pos - BASE, BASE);
	return 0;
}
