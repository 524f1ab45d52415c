/* SPDX-License-Identifier: ISC */
/*
 * Regular files as open files: what holds for all file systems around the operations of the one
 * that has the inode.
 */
#include <asm/errno.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/resource.h>
#include <linux/uio.h>

#include "kernel/lib/lib.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"
#include "kernel/vfs/inode_ops.h"

#define SIZE_MAX_FILE 0x7ffffffffffff000ull

bool inode_data_lock(struct inode *ino)
{
	kin_lock_recover(&ino->lock, kin_recover_whole, NULL);
	return true;
}

static s64 inode_read(struct inode *ino, void *buf, size_t len, u64 pos, bool user)
{
	const struct inode_ops *ops = inode_ops(ino);

	return ops->read ? ops->read(ino, (u64)buf, len, pos, user) : -EINVAL;
}

s64 inode_read_kernel(struct inode *ino, void *buf, size_t len, u64 pos)
{
	return inode_read(ino, buf, len, pos, false);
}

s64 inode_write_kernel(struct inode *ino, const void *buf, size_t len, u64 pos)
{
	const struct inode_ops *ops = inode_ops(ino);

	return ops->write_kernel ? ops->write_kernel(ino, buf, len, pos) : -EBADF;
}

static s64 file_read(struct file *f, void *buf, size_t len, s64 *pos)
{
	if ((f->flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	u32 flags = current->io_flags;
	current->io_flags |= f->flags & O_NOATIME; /* for who keeps the times */
	s64 n = inode_read(f->inode, buf, len, (u64)*pos, true);
	current->io_flags = flags;
	if (n > 0)
		*pos += n;
	return n;
}

size_t file_may_extend(u64 pos, size_t len)
{
	u64 limit = current->proc->kp->inherited.rlimit_cur[RLIMIT_FSIZE];

	limit = MIN(limit, SIZE_MAX_FILE);
	if (pos < limit)
		return MIN(len, limit - pos);
	if (current->proc->kp->inherited.rlimit_cur[RLIMIT_FSIZE] <= pos)
		signal_send_thread(current, SIGXFSZ, NULL);
	return 0;
}

static s64 file_writev(struct file *f, const struct iovec *iov, u32 n, s64 *pos)
{
	const struct inode_ops *ops = inode_ops(f->inode);

	if ((f->flags & O_ACCMODE) == O_RDONLY || !ops->writev)
		return -EBADF;
	return ops->writev(f, iov, n, pos);
}

static s64 file_write(struct file *f, const void *buf, size_t len, s64 *pos)
{
	struct iovec iov = {(void *)(uintptr_t)buf, len};

	return file_writev(f, &iov, 1, pos);
}

s64 inode_truncate(struct inode *ino, u64 size)
{
	const struct inode_ops *ops = inode_ops(ino);

	return S_ISREG(ino->mode) && ops->truncate ? ops->truncate(ino, size) : -EINVAL;
}

static s64 file_truncate(struct file *f, u64 size)
{
	if ((f->flags & O_ACCMODE) == O_RDONLY)
		return -EINVAL;
	if (inode_append_only(f->inode))
		return -EPERM;
	if (size > f->inode->size && !file_may_extend(size - 1, 1))
		return -EFBIG;
	return inode_truncate(f->inode, size);
}

s64 inode_seek_data(struct inode *ino, u64 pos, int whence)
{
	if (pos >= ino->size)
		return -ENXIO;
	return whence == SEEK_HOLE ? (s64)ino->size : (s64)pos;
}

static s64 seek_data(struct inode *ino, s64 offset, int whence)
{
	const struct inode_ops *ops = inode_ops(ino);

	if (offset < 0)
		return -ENXIO;
	return ops->seek ? ops->seek(ino, (u64)offset, whence)
					 : inode_seek_data(ino, (u64)offset, whence);
}

static s64 file_seek(struct file *f, s64 offset, int whence)
{
	s64 base = 0;

	if (whence == SEEK_END)
		inode_refresh(f->inode);
	switch (whence) {
	case SEEK_SET: break;
	case SEEK_CUR: base = f->pos; break;
	case SEEK_END: base = (s64)f->inode->size; break;
	case SEEK_DATA:
	case SEEK_HOLE: return seek_data(f->inode, offset, whence);
	default: return -EINVAL;
	}
	s64 pos;
	if (__builtin_add_overflow(base, offset, &pos))
		return -EOVERFLOW;
	return pos < 0 ? -EINVAL : pos;
}

const struct file_ops inode_file_ops = {
	.name = "inode",
	.read = file_read,
	.write = file_write,
	.writev = file_writev,
	.ioctl = inode_ioctl,
	.seek = file_seek,
	.stat = file_stat,
	.truncate = file_truncate,
	.release = file_drop_inode,
	.seekable = true,
};
