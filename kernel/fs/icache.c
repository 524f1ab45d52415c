/* SPDX-License-Identifier: ISC */
/*
 * The table of host-backed inodes: files by the host's (dev, ino), so that hard links are one
 * inode, directories by path, because a bind mount on the host shows one directory at two places.
 * An inode is here while someone uses it; once it differs from the host it is pinned: the table
 * holds a reference and the filter says so to lookups that have no inode yet.
 *
 * Bucket locks are innermost (the allocator's aside) and protect the chains, INODE_PINNED, and
 * the step of refs to and from 0.
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

static struct kin_lock *key_lock(u64 key)
{
	return &vfs_shared()->locks[key % ICACHE_BUCKETS % ICACHE_LOCKS];
}

static struct inode *icache_find(u64 key, const char *path, u32 len, u64 dev, u64 number)
{
	kin_lock(key_lock(key));
	struct inode *ino = chain_find(key, path, len, dev, number);
	kin_unlock(key_lock(key));
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
	kin_lock(key_lock(key));
	ino = chain_find(key, dir ? path : NULL, len, st->dev, st->ino);
	if (!ino)
		LIST_INSERT_HEAD(&vfs_shared()->buckets[made->bucket], made, hash);
	kin_unlock(key_lock(key));
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
	kin_lock(key_lock(key));
	if (!inode_is(ino, INODE_PINNED)) {
		ino->flags |= INODE_PINNED;
		ino->refs++;
	}
	kin_unlock(key_lock(key));
}

/* The caller has a reference of its own, so this never frees. */
void inode_unpin(struct inode *ino)
{
	if (!inode_is(ino, INODE_PINNED))
		return;
	u64 key = inode_key(ino);
	kin_lock(key_lock(key));
	if (inode_is(ino, INODE_PINNED)) {
		ino->flags &= ~(u32)INODE_PINNED;
		ino->refs--;
	}
	kin_unlock(key_lock(key));
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
