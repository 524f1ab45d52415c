/* SPDX-License-Identifier: ISC */
/*
 * The table of host-backed inodes: files by the host's (dev, ino), so that hard links are one
 * inode, directories by path, because a bind mount on the host shows one directory at two places.
 * An inode is here while someone uses it; once it differs from the host it is pinned: the table
 * holds a reference and the filter says so to lookups that have no inode yet.
 *
 * Bucket locks are innermost (the allocator's aside) and protect the chains and what is pinned. A
 * chain changes by one store, so a dead owner leaves it whole. Whoever has the last reference takes
 * the inode off; until then lookups pass it by, and there may be a second one for the same file.
 */
#include "kernel/hostfs/hostfs.h"
#include "kernel/hostfs/hostfs_hooks.h"

#include "kernel/lib/lib.h"

static u64 file_key(u64 dev, u64 ino)
{
	u64 h = (ino ^ dev << 40 ^ dev >> 24) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 31;
}

static u64 inode_key(struct inode *ino)
{
	if (inode_is(ino, INODE_MERGED))
		return hash_bytes(lower_path(ino), lower_len(ino));
	return file_key(ino->dev, ino->ino);
}

static bool filter_test(u64 key)
{
	u64 bit = key % FILTER_BITS;
	return vfs_shared()->filter[bit / 64] & 1ull << (bit % 64);
}

bool icache_path_pinned(const char *path, u32 len)
{
	return filter_test(hash_bytes(path, len));
}

bool icache_file_pinned(u64 dev, u64 ino)
{
	return filter_test(file_key(dev, ino));
}

/*
 * The host gives the number of a deleted file to a new one: on a volume, where files are deleted,
 * the time of birth tells them apart.
 */
static bool same_identity(const struct inode *a, const struct inode *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->volume == b->volume &&
		   (!a->volume || a->btime_ns == b->btime_ns);
}

/* Caller holds the bucket's lock. path NULL: a file, or whatever is on a volume: one like that. */
static struct inode *chain_find(u64 key, const char *path, u32 len, const struct inode *like)
{
	struct inode *ino;

	for (ino = vfs_shared()->buckets[key % ICACHE_BUCKETS]; ino; ino = ino->chain) {
		bool dir = inode_is(ino, INODE_MERGED);
		if ((path ? dir && lower_len(ino) == len && !memcmp(lower_path(ino), path, len)
				  : !dir && same_identity(ino, like)) &&
			inode_get_unless_gone(ino))
			return ino;
	}
	return NULL;
}

/* Takes the lock of that bucket's chain. */
static struct kin_lock *icache_lock(u32 bucket)
{
	struct kin_lock *lock = &vfs_shared()->locks[bucket % ICACHE_LOCKS];

	kin_lock_ranked(lock, INODES, kin_recover_whole, NULL);
	return lock;
}

static struct kin_lock *key_lock(u64 key)
{
	return icache_lock((u32)(key % ICACHE_BUCKETS));
}

static void chain_add(struct inode *ino)
{
	struct inode **head = &vfs_shared()->buckets[ino->bucket];

	ino->chain = *head;
	publish(head, ino);
}

static struct inode *icache_find(u64 key, const char *path, u32 len, const struct inode *like)
{
	struct kin_lock *lock = key_lock(key);
	struct inode *ino = chain_find(key, path, len, like);

	kin_unlock(lock);
	return ino;
}

struct inode *icache_find_dir(const char *path, u32 len)
{
	return icache_find(hash_bytes(path, len), path, len, NULL);
}

struct inode *icache_find_file(u64 dev, u64 ino)
{
	struct inode like = {.dev = dev, .ino = ino};

	return icache_find(file_key(dev, ino), NULL, 0, &like);
}

void inode_attributes_set(struct inode *ino, const struct hyp_stat *st)
{
	ino->mode = st->mode;
	ino->uid = st->uid;
	ino->gid = st->gid;
	ino->nlink = st->nlink;
	ino->size = st->size;
	ino->lower_blocks = st->blocks;
	ino->atime_ns = st->atime_ns;
	ino->mtime_ns = st->mtime_ns;
	ino->ctime_ns = st->ctime_ns;
	ino->btime_ns = st->btime_ns;
}

static struct inode *host_inode(enum inode_fs fs, const char *path, u32 len,
								const struct hyp_stat *st)
{
	struct inode *ino = inode_alloc(fs, st->mode);

	if (!ino)
		return NULL;
	if (!own_give_if(&ino->lower, kin_text(path, len))) {
		inode_put(ino);
		return NULL;
	}
	ino->flags = INODE_HASHED;
	if (fs == FS_ROOT)
		ino->flags |= S_ISDIR(st->mode) ? INODE_MERGED : INODE_LOWER;
	ino->dev = st->dev;
	ino->ino = st->ino;
	ino->rdev = st->rdev;
	inode_attributes_set(ino, st);
	return ino;
}

/* Shows made to the others, unless another member was faster: then its inode. */
static struct inode *chain_enter(struct inode *made, u64 key, const char *path, u32 len)
{
	made->bucket = key % ICACHE_BUCKETS;
	struct kin_lock *lock = key_lock(key);
	struct inode *ino = chain_find(key, path, len, made);
	if (!ino)
		chain_add(made);
	kin_unlock(lock);
	if (!ino)
		return made;
	made->flags &= ~(u32)INODE_HASHED;
	inode_put(made);
	return ino;
}

struct inode *icache_get(const char *path, u32 len, const struct hyp_stat *st)
{
	bool dir = S_ISDIR(st->mode);
	u64 key = dir ? hash_bytes(path, len) : file_key(st->dev, st->ino);
	struct inode like = {.dev = st->dev, .ino = st->ino};
	struct inode *ino = icache_find(key, dir ? path : NULL, len, &like);

	if (ino)
		return ino;
	struct inode *made = host_inode(FS_ROOT, path, len, st);
	if (!made)
		return NULL;
	return chain_enter(made, key, dir ? path : NULL, len);
}

/*
 * Where the inode is now: as the host said it, unless something was renamed in the family since it
 * was asked.
 */
static void place_set(struct inode *ino, struct inode *parent, const char *name, u32 len,
					  u32 renames)
{
	struct vfs_shared *v = vfs_shared();

	if (!parent || (ino->parent == parent && lower_len(ino) == len &&
					!memcmp(lower_path(ino), name, len)))
		return;
	struct kin_text *copy = kin_text(name, len), *old = NULL;
	struct inode *old_parent = NULL;
	if (!copy)
		return;
	rename_lock();
	if (ino->parent && !inode_is(ino, INODE_MOUNT) && v->volume_renames == renames) {
		old_parent = inode_parent_set(ino, parent);
		old = own_exchange(&ino->lower, copy);
		copy = NULL;
	}
	kin_unlock(&v->rename_lock);
	own_free(copy);
	own_free(old);
	inode_put(old_parent);
}

struct inode *icache_get_volume(u32 volume, struct inode *parent, const char *name, u32 len,
								const struct hyp_stat *st, u32 renames)
{
	u64 key = file_key(st->dev, st->ino);
	struct inode like = {.dev = st->dev, .ino = st->ino, .volume = volume,
						 .btime_ns = st->btime_ns};
	struct inode *ino = icache_find(key, NULL, 0, &like);

	if (!ino) {
		struct inode *made = host_inode(FS_VOLUME, name, len, st);
		if (!made)
			return NULL;
		made->volume = volume;
		if (parent)
			inode_ref(&made->parent, parent);
		ino = chain_enter(made, key, NULL, 0);
		if (ino == made)
			return ino;
	}
	if (S_ISDIR(ino->mode) == S_ISDIR(st->mode))
		inode_attributes_set(ino, st);
	place_set(ino, parent, name, len, renames);
	return ino;
}

/* The filter first: a lookup that sees the change through any other way must not miss the pin. */
static void pin(struct inode *ino)
{
	if (!inode_is(ino, INODE_HASHED) || ino->pinned)
		return;
	u64 key = inode_key(ino), bit = key % FILTER_BITS;
	vfs_shared()->filter[bit / 64] |= 1ull << (bit % 64);
	struct kin_lock *lock = key_lock(key);
	if (!ino->pinned)
		inode_ref(&ino->pinned, ino);
	if (inode_is(ino, INODE_MERGED))
		ino->flags |= INODE_LASTS;
	kin_unlock(lock);
}

/*
 * The caller has a reference of its own, so this never frees. Directories stay, even removed: every
 * walk passes through them, and the host has no more of them than it has.
 */
static void unpin(struct inode *ino)
{
	if (!ino->pinned || inode_is(ino, INODE_LASTS))
		return;
	struct kin_lock *lock = key_lock(inode_key(ino));
	ref_put(OWN_INODE, &ino->pinned);
	kin_unlock(lock);
}

void icache_pin(struct inode *ino, bool stay)
{
	if (stay)
		pin(ino);
	else
		unpin(ino);
}

void icache_leave(struct inode *ino)
{
	struct inode **link = &vfs_shared()->buckets[ino->bucket];

	if (!inode_is(ino, INODE_HASHED))
		return;
	struct kin_lock *lock = icache_lock(ino->bucket);
	while (*link && *link != ino)
		link = &(*link)->chain;
	if (*link)
		publish(link, ino->chain);
	kin_unlock(lock);
	ino->flags &= ~(u32)INODE_HASHED;
}
