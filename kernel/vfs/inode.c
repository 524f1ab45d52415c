/* SPDX-License-Identifier: ISC */
/*
 * Inodes: allocation, references, times, attributes. The last reference frees.
 */
#include "kernel/task/thread.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/mounts.h"
#include "kernel/vfs/notify.h"

#include "kernel/lib/lib.h"
#include "kernel/time/time.h"

u64 inode_device(enum inode_fs fs)
{
	return vfs_shared()->devices[fs];
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

_Noreturn void inode_unknown(u32 fs)
{
	family_fatal("shared memory is damaged: there is no file system %u", fs);
}

/*
 * Frees what ino holds; the parent's reference is handed back, so that a chain of directories
 * does not recurse.
 */
static struct inode *inode_free(struct inode *ino)
{
	const struct inode_ops *ops = inode_ops(ino);
	struct inode *parent = ino->parent;

	if (ino->lock_count)
		locks_release_inode(ino);
	if (ops->release)
		ops->release(ino);
	if (ino->xattrs)
		xattrs_free(ino);
	own_free(own_take(OWN_MEMORY, &ino->lower, NULL));
	ino->serial = 0;
	kin_free(ino);
	return parent;
}

/* True if this was the last reference. */
static bool inode_drop(struct inode *ino)
{
	const struct inode_ops *ops = inode_ops(ino);
	u32 refs = ino->refs;

	while (refs > 1)
		if (atomic_compare_exchange_weak(&ino->refs, &refs, refs - 1))
			return false;
	return ops->drop ? ops->drop(ino) : --ino->refs == 0;
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

u64 inode_shown_device(const struct inode *ino)
{
	const struct inode_ops *ops = inode_ops(ino);

	return ops->device ? ops->device(ino) : ino->dev;
}

void inode_stat(struct inode *ino, struct kstat *st)
{
	const struct inode_ops *ops = inode_ops(ino);
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
	st->blocks = (size + 511) / 512;
	st->atime_ns = ino->atime_ns;
	st->mtime_ns = ino->mtime_ns;
	st->ctime_ns = ino->ctime_ns;
	st->btime_ns = ino->btime_ns;
	st->read_only = access_mount(ino) != 0;
	if (ops->stat)
		ops->stat(ino, st);
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

void inode_pin(struct inode *ino)
{
	if (inode_ops(ino)->pin)
		inode_ops(ino)->pin(ino, true);
}

void inode_unpin(struct inode *ino)
{
	if (inode_ops(ino)->pin)
		inode_ops(ino)->pin(ino, false);
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
