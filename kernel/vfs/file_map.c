/* SPDX-License-Identifier: ISC */
/*
 * Files as memory, for exec and mmap. How pages come into a mapping is the file system's: a file of
 * the host is mapped from the host's page cache, so its text is shared by all members; a file in
 * kin is copied for a private mapping, or its object is mapped for a shared one.
 */
#include <asm/errno.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "kernel/arch/arch.h"
#include "kernel/lib/lib.h"
#include "kernel/vfs/inode_ops.h"

#define DEV_ZERO 0x105ull
#define DEV_NULL 0x103ull

static struct inode *regular(struct file *f)
{
	bool ok = (f->type == FILE_INODE || f->type == FILE_SHM) && f->inode && S_ISREG(f->inode->mode);
	return ok ? f->inode : NULL;
}

s64 file_pread_kernel(struct file *f, void *buf, size_t len, u64 pos)
{
	struct inode *ino = regular(f);

	return ino ? inode_read_kernel(ino, buf, len, pos) : -EINVAL;
}

s64 file_may_exec(struct file *f)
{
	if (!f->inode || !S_ISREG(f->inode->mode))
		return -EACCES;
	return access_inode(f->inode, MAY_EXEC);
}

/*
 * Each side counts itself, then looks for the other, so that one of the two sees it; perhaps both
 * do.
 */
const struct own_ops writer_own_ops = {
	.name = "file open for writing",
	.ref_at = offsetof(struct inode, writers),
	.only_counts = true,
};
const struct own_ops executor_own_ops = {
	.name = "file that is executed",
	.ref_at = offsetof(struct inode, executors),
	.only_counts = true,
};

s64 inode_writer_hold(struct inode *ino)
{
	void **hold = hold_new(OWN_WRITER);

	ref_get(OWN_WRITER, ino, hold);
	if (!ref_count(&ino->executors))
		return 0;
	ref_put(OWN_WRITER, hold);
	return -ETXTBSY;
}

void inode_writer_put(struct inode *ino)
{
	ref_put(OWN_WRITER, hold_of(OWN_WRITER, ino));
}

s64 file_deny_write(struct file *f)
{
	struct inode *ino = regular(f);

	if (!ino)
		return -EACCES;
	ref_get(OWN_EXECUTOR, ino, &f->executes);
	if (!ref_count(&ino->writers))
		return 0;
	ref_put(OWN_EXECUTOR, &f->executes);
	return -ETXTBSY;
}

void file_allow_write(struct file *f)
{
	ref_put(OWN_EXECUTOR, &f->executes);
}

s64 inode_map_copy(struct inode *ino, u64 va, u64 len, int prot, u64 offset)
{
	s64 err = paging->map_private(va, len, PROT_READ | PROT_WRITE, true);

	if (err)
		return err;
	s64 n = inode_read_kernel(ino, (void *)va, len, offset);
	if (n < 0)
		return n;
	return prot == (PROT_READ | PROT_WRITE) ? 0 : paging->protect(va, len, prot);
}

s64 file_punch(struct file *f, u64 pos, u64 len)
{
	struct inode *ino = regular(f);

	if (!ino || !inode_ops(ino)->allocate)
		return -EOPNOTSUPP;
	if (ino->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	return inode_ops(ino)->allocate(ino, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos, len);
}

s64 file_map_private(struct file *f, u64 va, u64 len, int prot, u64 offset)
{
	struct inode *ino = regular(f);

	if (!ino)
		return -ENODEV;
	return inode_ops(ino)->map ? inode_ops(ino)->map(ino, va, len, prot, offset)
							   : inode_map_copy(ino, va, len, prot, offset);
}

bool file_maps_host(struct file *f)
{
	struct inode *ino = regular(f);

	return ino && inode_ops(ino)->map_shared;
}

s64 file_map_shared(struct file *f, u64 va, u64 len, int prot, u64 offset)
{
	return inode_ops(f->inode)->map_shared(f->inode, f->flags & O_ACCMODE, va, len, prot, offset);
}

u64 file_shared_key(struct file *f, u64 offset)
{
	return 1ull << 63 | (f->inode->serial & 0x7fffff) << 40 | (offset & ((1ull << 40) - 1));
}

s64 file_sync_data(struct file *f)
{
	return inode_sync(f->inode, HYP_SYNC_DATA);
}

struct kin_object *file_shared_object(struct file *f)
{
	struct inode *ino = regular(f);

	return ino && inode_ops(ino)->object ? inode_ops(ino)->object(ino) : NULL;
}

bool file_is_zero(struct file *f)
{
	struct kstat st;

	return f->type == FILE_DEV && !file_describe(f, &st) && S_ISCHR(st.mode) && st.rdev == DEV_ZERO;
}

bool file_is_null(const struct file *f)
{
	return f->type == FILE_DEV && f->inode && f->inode->rdev == DEV_NULL;
}

bool file_mappable(struct file *f)
{
	return regular(f) != NULL;
}
