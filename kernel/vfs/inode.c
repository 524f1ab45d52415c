/* SPDX-License-Identifier: ISC */
/*
 * Inodes: allocation, references, times, attributes. The last reference frees; a host-backed
 * inode leaves the table first, under its bucket's lock, because a lookup there may be taking a
 * reference (icache.c).
 */
#include "kernel/task/thread.h"
#include "kernel/vfs/inode.h"
#include "kernel/vfs/mounts.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/vfs_hooks.h"

#include "kernel/lib/lib.h"
#include "kernel/time/time.h"

/* Device numbers of the kernel's own file systems; the root's is the host's. */
u64 inode_device(enum inode_fs fs)
{
	return fs == FS_ROOT ? vfs_shared()->root_dev : 0x30 + fs;
}

struct inode *inode_alloc(enum inode_fs fs, u32 mode)
{
	struct inode *ino = kin_alloc(sizeof(*ino));

	if (!ino)
		return NULL;
	s64 now = (s64)time_real_ns();
	ino->refs = 1;
	ino->mode = mode;
	ino->fs = fs;
	ino->uid = cred_uid();
	ino->gid = cred_gid();
	ino->dev = inode_device(fs);
	ino->serial = ino->ino = vfs_shared()->next_ino++;
	ino->atime_ns = ino->mtime_ns = ino->ctime_ns = ino->btime_ns = now;
	if (S_ISDIR(mode)) {
		RB_INIT(&ino->dir.names);
		RB_INIT(&ino->dir.seqs);
		ino->dir.next_seq = 1;
	}
	return ino;
}

void inode_get(struct inode *ino)
{
	ino->refs++;
}

/*
 * Frees what ino holds; the parent's reference is handed back, so that a chain of directories
 * does not recurse.
 */
static struct inode *inode_free(struct inode *ino)
{
	struct inode *parent = ino->parent;
	u32 mode = ino->mode;

	if (ino->lock_count)
		locks_release_inode(ino);
	if (on_volume(ino)) {
		if (inode_is(ino, INODE_KEPT))
			vfs_shared()->shelf_stale = 1;
	} else if (ino->fs == FS_PROC) {
		; /* holds nothing else */
	} else if (S_ISDIR(mode)) {
		dir_free(ino);
	} else if (S_ISREG(mode)) {
		ref_put(OWN_OBJECT, &ino->object);
	} else if (S_ISLNK(mode)) {
		own_free(own_take(OWN_MEMORY, &ino->link, NULL));
	}
	if (ino->xattrs)
		xattrs_free(ino);
	own_free(own_take(OWN_MEMORY, &ino->lower, NULL));
	ino->serial = 0;
	kin_free(ino);
	return parent;
}

/*
 * True if this was the last reference. A hashed inode can be found until it is taken off under
 * the bucket's lock.
 */
static bool inode_drop(struct inode *ino)
{
	u32 refs = ino->refs;

	while (refs > 1)
		if (atomic_compare_exchange_weak(&ino->refs, &refs, refs - 1))
			return false;
	if (!inode_is(ino, INODE_HASHED))
		return --ino->refs == 0;
	struct kin_lock *lock = icache_lock(ino->bucket);
	bool last = --ino->refs == 0;
	if (last)
		LIST_REMOVE(ino, hash);
	kin_unlock(lock);
	return last;
}

void inode_put(struct inode *ino)
{
	struct inode *first = ino;
	bool watched = ino && ino->watches;

	while (ino && inode_drop(ino))
		ino = inode_free(ino);
	if (watched)
		notify_gone(first);
}

void inode_touch(struct inode *ino, bool modified)
{
	s64 now = (s64)time_real_ns();

	ino->ctime_ns = now;
	if (modified)
		ino->mtime_ns = now;
}

/*
 * A volume has a number of its own, so that programs see where one file system ends; not for mounts
 * below it.
 */
u64 inode_shown_device(const struct inode *ino)
{
	const struct inode *root;

	if (!on_volume(ino))
		return ino->dev;
	root = vfs_shared()->volumes[ino->volume - 1];
	return root && ino->dev != root->dev ? ino->dev : inode_device(FS_VOLUME) + ino->volume;
}

void inode_stat(struct inode *ino, struct kstat *st)
{
	u64 size = ino->size;

	memset(st, 0, sizeof(*st));
	st->dev = inode_shown_device(ino);
	st->ino = ino->ino;
	st->rdev = ino->rdev;
	st->mode = ino->mode;
	st->nlink = ino->nlink;
	st->uid = ino->uid;
	st->gid = ino->gid;
	st->size = size;
	st->blksize = PAGE_SIZE;
	st->blocks = inode_is(ino, INODE_LOWER | INODE_MERGED) || on_volume(ino) ? ino->lower_blocks
																			  : (size + 511) / 512;
	st->atime_ns = ino->atime_ns;
	st->mtime_ns = ino->mtime_ns;
	st->ctime_ns = ino->ctime_ns;
	st->btime_ns = ino->btime_ns;
	st->read_only = access_mount(ino) != 0;
	if (S_ISREG(st->mode) && !inode_is(ino, INODE_LOWER) && !on_volume(ino) &&
		ino->fs != FS_PROC) {
		inode_data_lock(ino);
		st->blocks = ino->object ? object_pages(ino->object) * (PAGE_SIZE / 512) : 0;
		kin_unlock(&ino->lock);
	}
}

void hyp_to_kstat(const struct hyp_stat *h, struct kstat *st)
{
	*st = (struct kstat){
		.dev = h->dev,
		.ino = h->ino,
		.rdev = h->rdev,
		.size = h->size,
		.blocks = h->blocks,
		.blksize = h->blksize,
		.mode = h->mode,
		.nlink = h->nlink,
		.uid = h->uid,
		.gid = h->gid,
		.atime_ns = h->atime_ns,
		.mtime_ns = h->mtime_ns,
		.ctime_ns = h->ctime_ns,
		.btime_ns = h->btime_ns,
	};
}

struct pipe **inode_fifo_slot(struct inode *ino)
{
	return &ino->fifo;
}

struct vfs_shared *vfs_shared(void)
{
	return kin_root_get(ROOT_VFS);
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
