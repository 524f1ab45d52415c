/* SPDX-License-Identifier: ISC */
/*
 * Names of a directory in the writable layer: one tree by (hash, name) for lookup, one by order
 * of creation, whose numbers are the positions that getdents gives out: an entry keeps its
 * position whatever happens to the others. The directory's lock protects both trees. Only one of
 * them changes at a time and the directory says which: if a member dies inside, the next owner of
 * the lock makes that tree anew from the other. What the dead had done to the names tree, which
 * changes first, counts once the other is begun, else it never happened.
 *
 * An entry that comes or goes belongs to the directory all the while, so that it is either in both
 * trees or put there by the next owner of the lock: who dies in it has made or has not removed it.
 */
#include "kernel/vfs/inode.h"

#include "kernel/lib/lib.h"

static int compare_names(struct dirent_node *a, struct dirent_node *b)
{
	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->name, b->name, a->len);
}

static int compare_seqs(struct dirent_node *a, struct dirent_node *b)
{
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

RB_GENERATE_INTERNAL(dirent_names, dirent_node, by_name, compare_names,
					 static __attribute__((unused)))
RB_GENERATE_INTERNAL(dirent_seqs, dirent_node, by_seq, compare_seqs, static __attribute__((unused)))

enum { DIR_WHOLE, DIR_NAMES, DIR_SEQS };

/* The stores to the trees stay between the stores of this. */
static void dir_changing(struct inode *dir, u32 what)
{
	program_order();
	*(volatile u32 *)&dir->dir.changing = what;
	program_order();
}

static void trees_insert(struct inode *dir, struct dirent_node *e)
{
	dir_changing(dir, DIR_NAMES);
	RB_INSERT(dirent_names, &dir->dir.names, e);
	dir_changing(dir, DIR_SEQS);
	RB_INSERT(dirent_seqs, &dir->dir.seqs, e);
	dir_changing(dir, DIR_WHOLE);
}

/* May be cut short and begun again. The counts may be behind a single change. */
static bool dir_recover(void *arg)
{
	struct inode *dir = arg;
	struct dirent_node *e;

	if (dir->dir.changing == DIR_NAMES) {
		RB_INIT(&dir->dir.names);
		RB_FOREACH (e, dirent_seqs, &dir->dir.seqs)
			RB_INSERT(dirent_names, &dir->dir.names, e);
	} else if (dir->dir.changing == DIR_SEQS) {
		RB_INIT(&dir->dir.seqs);
		RB_FOREACH (e, dirent_names, &dir->dir.names)
			RB_INSERT(dirent_seqs, &dir->dir.seqs, e);
	}
	dir_changing(dir, DIR_WHOLE);
	if (dir->dir.moving && !RB_FIND(dirent_names, &dir->dir.names, dir->dir.moving))
		trees_insert(dir, dir->dir.moving);
	publish(&dir->dir.moving, NULL);
	dir->dir.count = dir->dir.whiteouts = 0;
	RB_FOREACH (e, dirent_names, &dir->dir.names)
		*(e->inode ? &dir->dir.count : &dir->dir.whiteouts) += 1;
	return true;
}

void dir_lock(struct inode *dir)
{
	kin_lock_nested(&dir->lock, dir_recover, dir, "two at once under rename_lock only");
}

/*
 * What it protects, parent and entry of directories, changes by single stores. A rename whose
 * member died halfway may leave both names: either is right, none would not be.
 */
void rename_lock(void)
{
	kin_lock_recover(&vfs_shared()->rename_lock, kin_recover_whole, NULL);
}

struct dirent_node *dirent_alloc(const char *name, size_t len)
{
	struct dirent_node *e = own_new(OWN_NAME, sizeof(*e) + len + 1);

	if (!e)
		return NULL;
	memcpy(e->name, name, len);
	e->len = (u16)len;
	e->hash = (u32)hash_bytes(name, len);
	return e;
}

void dirent_free(struct dirent_node *e)
{
	own_free(e);
}

static void dirent_release(void *what)
{
	struct dirent_node *e = what;

	inode_drop(&e->inode);
}

const struct own_ops dirent_own_ops = {
	.name = "directory entry",
	.ref_at = OWN_NO_REF,
	.release = dirent_release,
};

struct dirent_node *dirent_find(struct inode *dir, const char *name, size_t len)
{
	u32 hash = (u32)hash_bytes(name, len);
	struct dirent_node *e = RB_ROOT(&dir->dir.names);

	while (e) {
		int c = hash != e->hash ? (hash < e->hash ? -1 : 1)
				: len != e->len ? (len < e->len ? -1 : 1)
								: memcmp(name, e->name, len);
		if (!c)
			return e;
		e = c < 0 ? RB_LEFT(e, by_name) : RB_RIGHT(e, by_name);
	}
	return NULL;
}

struct dirent_node *dirent_after(struct inode *dir, u64 seq)
{
	struct dirent_node *e = RB_ROOT(&dir->dir.seqs), *best = NULL;

	while (e) {
		if (e->seq >= seq) {
			best = e;
			e = RB_LEFT(e, by_seq);
		} else {
			e = RB_RIGHT(e, by_seq);
		}
	}
	return best;
}

static void count(struct inode *dir, struct inode *ino, int change)
{
	if (ino)
		dir->dir.count += (u32)change;
	else
		dir->dir.whiteouts += (u32)change;
}

void dirent_insert(struct inode *dir, struct dirent_node *e, struct inode *ino)
{
	if (ino)
		inode_give(&e->inode, ino);
	e->seq = dir->dir.next_seq++;
	own_give(&dir->dir.moving, e);
	trees_insert(dir, e);
	publish(&dir->dir.moving, NULL);
	count(dir, ino, 1);
}

void dirent_remove(struct inode *dir, struct dirent_node *e)
{
	count(dir, e->inode, -1);
	publish(&dir->dir.moving, e);
	dir_changing(dir, DIR_NAMES);
	RB_REMOVE(dirent_names, &dir->dir.names, e);
	dir_changing(dir, DIR_SEQS);
	RB_REMOVE(dirent_seqs, &dir->dir.seqs, e);
	dir_changing(dir, DIR_WHOLE);
	own_take(OWN_NAME, &dir->dir.moving, NULL);
}

void dirent_set(struct inode *dir, struct dirent_node *e, struct inode *ino)
{
	count(dir, e->inode, -1);
	if (ino)
		inode_give(&e->inode, ino);
	else
		inode_drop(&e->inode);
	count(dir, ino, 1);
}

/*
 * Last reference to the directory is gone: whiteouts, or at the end of a file system its entries.
 */
void dir_free(struct inode *dir)
{
	struct dirent_node *e;

	dir_lock(dir); /* as the dead may have left it; nobody else is here */
	kin_unlock(&dir->lock);
	while ((e = RB_MIN(dirent_seqs, &dir->dir.seqs))) {
		dirent_remove(dir, e);
		dirent_free(e);
	}
}
