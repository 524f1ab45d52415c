/* SPDX-License-Identifier: ISC */
/*
 * The table of host-backed inodes: files by the host's (dev, ino), so that hard links are one
 * inode, directories by path, because a bind mount on the host shows one directory at two places.
 * An inode is here while someone uses it; once it differs from the host it is pinned: the table
 * holds a reference and the filter says so to lookups that have no inode yet.
 *
 * Bucket locks are innermost (the allocator's aside) and protect the chains, INODE_PINNED, and
 * the step of refs to and from 0. A chain's forward pointers change by one store each, so a dead
 * owner leaves the chains whole but for the back pointers, which are made anew; its references
 * are lost, and an inode whose count it had brought to 0 is found again.
 */
#include "kernel/fs/inode.h"

#include "kernel/lib/lib.h"

u64 hash_bytes(const void *p, size_t n)
{
	const u8 *s = p;
	u64 h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < n; i++)
		h = (h ^ s[i]) * 0x100000001b3ull;
	return h ^ h >> 29;
}

static u64 file_key(u64 dev, u64 ino)
{
	u64 h = (ino ^ dev << 40 ^ dev >> 24) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 31;
}

static u64 inode_key(struct inode *ino)
{
	if (inode_is(ino, INODE_MERGED))
		return hash_bytes(ino->lower_path, ino->lower_len);
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

/* Caller holds the bucket's lock. path NULL: a file. */
static struct inode *chain_find(u64 key, const char *path, u32 len, u64 dev, u64 number)
{
	struct inode *ino;

	LIST_FOREACH (ino, &vfs_shared()->buckets[key % ICACHE_BUCKETS], hash) {
		bool dir = inode_is(ino, INODE_MERGED);
		if (path ? dir && ino->lower_len == len && !memcmp(ino->lower_path, path, len)
				 : !dir && ino->dev == dev && ino->ino == number) {
			ino->refs++;
			return ino;
		}
	}
	return NULL;
}

static bool chains_recover(void *arg)
{
	struct kin_lock *lock = arg;
	struct inode *ino, **prev;

	for (u32 i = (u32)(lock - vfs_shared()->locks); i < ICACHE_BUCKETS; i += ICACHE_LOCKS) {
		prev = &vfs_shared()->buckets[i].lh_first;
		for (ino = *prev; ino; prev = &ino->hash.le_next, ino = *prev)
			ino->hash.le_prev = prev;
	}
	return true;
}

struct kin_lock *icache_lock(u32 bucket)
{
	struct kin_lock *lock = &vfs_shared()->locks[bucket % ICACHE_LOCKS];

	kin_lock_recover(lock, chains_recover, lock);
	return lock;
}

static struct kin_lock *key_lock(u64 key)
{
	return icache_lock((u32)(key % ICACHE_BUCKETS));
}

/* LIST_INSERT_HEAD with the one store that shows it last. */
static void chain_add(struct inode *ino)
{
	struct inode **head = &vfs_shared()->buckets[ino->bucket].lh_first;

	ino->hash.le_next = *head;
	ino->hash.le_prev = head;
	if (*head)
		(*head)->hash.le_prev = &ino->hash.le_next;
	__atomic_store_n(head, ino, __ATOMIC_RELEASE);
}

static struct inode *icache_find(u64 key, const char *path, u32 len, u64 dev, u64 number)
{
	struct kin_lock *lock = key_lock(key);
	struct inode *ino = chain_find(key, path, len, dev, number);

	kin_unlock(lock);
	return ino;
}

struct inode *icache_find_dir(const char *path, u32 len)
{
	return icache_find(hash_bytes(path, len), path, len, 0, 0);
}

struct inode *icache_find_file(u64 dev, u64 ino)
{
	return icache_find(file_key(dev, ino), NULL, 0, dev, ino);
}

static struct inode *host_inode(const char *path, u32 len, const struct hyp_stat *st)
{
	struct inode *ino = inode_alloc(FS_ROOT, st->mode);

	if (!ino)
		return NULL;
	ino->lower_path = kin_string(path, len);
	if (!ino->lower_path) {
		kin_free(ino, sizeof(*ino));
		return NULL;
	}
	ino->lower_len = len;
	ino->flags = (S_ISDIR(st->mode) ? INODE_MERGED : INODE_LOWER) | INODE_HASHED;
	ino->uid = st->uid;
	ino->gid = st->gid;
	ino->nlink = st->nlink;
	ino->dev = st->dev;
	ino->ino = st->ino;
	ino->rdev = st->rdev;
	ino->size = st->size;
	ino->lower_blocks = st->blocks;
	ino->atime_ns = st->atime_ns;
	ino->mtime_ns = st->mtime_ns;
	ino->ctime_ns = st->ctime_ns;
	ino->btime_ns = st->btime_ns;
	return ino;
}

struct inode *icache_get(const char *path, u32 len, const struct hyp_stat *st)
{
	bool dir = S_ISDIR(st->mode);
	u64 key = dir ? hash_bytes(path, len) : file_key(st->dev, st->ino);
	struct inode *ino = icache_find(key, dir ? path : NULL, len, st->dev, st->ino);

	if (ino)
		return ino;
	struct inode *made = host_inode(path, len, st);
	if (!made)
		return NULL;
	made->bucket = key % ICACHE_BUCKETS;
	struct kin_lock *lock = key_lock(key);
	ino = chain_find(key, dir ? path : NULL, len, st->dev, st->ino);
	if (!ino)
		chain_add(made);
	kin_unlock(lock);
	if (!ino)
		return made;
	made->flags &= ~(u32)INODE_HASHED; /* another member was faster */
	inode_put(made);
	return ino;
}

/* The filter first: a lookup that sees the change through any other way must not miss the pin. */
void inode_pin(struct inode *ino)
{
	if (!inode_is(ino, INODE_HASHED) || inode_is(ino, INODE_PINNED))
		return;
	u64 key = inode_key(ino), bit = key % FILTER_BITS;
	vfs_shared()->filter[bit / 64] |= 1ull << (bit % 64);
	struct kin_lock *lock = key_lock(key);
	if (!inode_is(ino, INODE_PINNED)) {
		ino->refs++; /* first: one too many is a leak */
		ino->flags |= INODE_PINNED;
	}
	kin_unlock(lock);
}

/* The caller has a reference of its own, so this never frees. */
void inode_unpin(struct inode *ino)
{
	if (!inode_is(ino, INODE_PINNED))
		return;
	u64 key = inode_key(ino);
	struct kin_lock *lock = key_lock(key);
	if (inode_is(ino, INODE_PINNED)) {
		ino->flags &= ~(u32)INODE_PINNED;
		ino->refs--;
	}
	kin_unlock(lock);
}

void inode_drop_link(struct inode *ino)
{
	u32 left = --ino->nlink;

	inode_touch(ino, false);
	if (left)
		inode_pin(ino);
	else
		inode_unpin(ino);
}

void inode_add_link(struct inode *ino)
{
	ino->nlink++;
	inode_touch(ino, false);
	inode_pin(ino);
}
