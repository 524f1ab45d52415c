/* SPDX-License-Identifier: ISC */
/*
 * Inodes: allocation, references, times, attributes. The last reference frees.
 */
#include "kernel/kin/own.h"
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

/* After those of the volumes. */
u64 tmpfs_device(u32 number)
{
	return inode_device(FS_VOLUME) + VOLUMES_MAX + number;
}

struct inode *inode_alloc(enum inode_fs fs, u32 mode)
{
	struct inode *ino = own_new(OWN_MEMORY, sizeof(*ino));

	if (!ino)
		return NULL;
	s64 now = (s64)time_real_ns();
	ref_init(&ino->ref, 1);
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
	own_give(hold_new(OWN_INODE), ino);
	return ino;
}

/* ---- references */

void inode_get(struct inode *ino)
{
	if (!inode_is(ino, INODE_LASTS))
		ref_get(OWN_INODE, ino, hold_new(OWN_INODE));
}

bool inode_get_unless_gone(struct inode *ino)
{
	return inode_is(ino, INODE_LASTS) ||
		   ref_get_unless_gone(OWN_INODE, ino, hold_new(OWN_INODE));
}

/* The caller's, as a slot. */
static struct inode **held(struct inode *ino)
{
	void **hold = hold_of(OWN_INODE, ino);

	if (!hold && inode_is(ino, INODE_LASTS)) {
		hold = hold_new(OWN_INODE);
		ref_get(OWN_INODE, ino, hold);
	}
	if (!hold)
		family_fatal("an inode, number %lu of file system %u: a reference that nobody holds",
					 ino->ino, ino->fs);
	return (struct inode **)hold;
}

void inode_ref(struct inode **slot, struct inode *ino)
{
	ref_get(OWN_INODE, ino, slot);
}

void inode_give(struct inode **slot, struct inode *ino)
{
	ref_move(OWN_INODE, (void **)held(ino), slot);
}

struct inode *inode_parent_set(struct inode *ino, struct inode *parent)
{
	struct inode *old = ino->parent;

	if (old)
		inode_get(old);
	inode_get(parent);
	inode_give(&ino->parent, parent);
	return old;
}

void inode_drop(struct inode **slot)
{
	struct inode *ino = *slot;
	bool watched = ino && ino->watches;

	ref_put(OWN_INODE, slot);
	if (watched)
		notify_gone(ino);
}

void inode_put(struct inode *ino)
{
	if (ino && !inode_is(ino, INODE_LASTS))
		inode_drop(held(ino));
	else if (ino && ino->watches)
		notify_gone(ino);
}

_Noreturn void inode_unknown(u32 fs)
{
	family_fatal("shared memory is damaged: there is no file system %u", fs);
}

/* What hangs on it. The parent goes with the memory. */
static void inode_release(void *what)
{
	struct inode *ino = what;
	const struct inode_ops *ops = inode_ops(ino);

	if (ops->leave)
		ops->leave(ino);
	if (ino->lock_count)
		locks_release_inode(ino);
	if (ops->release)
		ops->release(ino);
	if (ino->xattrs)
		xattrs_free(ino);
	own_free(own_take(OWN_MEMORY, &ino->lower, NULL));
	own_free(own_take(OWN_MEMORY, &ino->name, NULL));
}

/*
 * A parent may have been kept by this inode alone, and its own by it: they go one after the other,
 * in the outermost call, so that a chain of directories costs neither stack nor records.
 */
static void inode_free(void *what)
{
	static struct inode **next; /* private: a hold, to be put by the call that works */
	static bool working;
	struct inode *ino = what, **parent = NULL;

	ino->serial = 0;
	if (ino->parent) {
		parent = (struct inode **)hold_new(OWN_INODE);
		ref_move(OWN_INODE, (void **)&ino->parent, parent);
	}
	kin_free(ino);
	if (working && !next) {
		next = parent;
		return;
	}
	bool outermost = !working;
	working = true;
	while (parent) {
		ref_put(OWN_INODE, parent);
		parent = next;
		next = NULL;
	}
	if (outermost)
		working = false;
}

const struct own_ops inode_own_ops = {
	.name = "inode",
	.ref_at = offsetof(struct inode, ref),
	.release = inode_release,
	.free = inode_free,
};

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
