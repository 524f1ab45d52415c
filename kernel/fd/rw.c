/* SPDX-License-Identifier: ISC */
/*
 * read, write and their relatives: finds the file, checks the mode and the vector, keeps the
 * position. What it means to read is the file type's business.
 */
#include <asm/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/inotify.h>
#undef BLOCK_SIZE

#include "kernel/arch/arch.h"
#include "kernel/fd/fd_hooks.h"
#include "kernel/fd/fdtable.h"
#include "kernel/fd/transfer.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"

#define RW_MAX 0x7ffff000ul
#define SEEK_WHENCE_MAX 4

static bool range_ok(u64 addr, u64 len)
{
	return addr + len >= addr && addr + len <= USER_ADDRESS_END;
}

static s64 transfer_one(struct transfer *t, u64 buf, u64 len)
{
	if (!range_ok(buf, len))
		return -EFAULT;
	t->iov = t->inline_iov;
	t->n = 1;
	t->iov[0] = (struct iovec){(void *)buf, MIN(len, RW_MAX)};
	t->total = t->iov[0].iov_len;
	return 0;
}

void transfer_end(struct transfer *t)
{
	if (t->iov != t->inline_iov)
		kfree(t->iov);
}

s64 transfer_vector(struct transfer *t, u64 iov, u64 n)
{
	t->total = 0;
	t->n = n;
	t->iov = t->inline_iov;
	if (n > UIO_MAXIOV)
		return -EINVAL;
	if (n > IOV_INLINE) {
		t->iov = kmalloc(n * sizeof(*t->iov));
		if (!t->iov)
			return -ENOMEM;
	}
	s64 err = copy_in(t->iov, (void *)iov, n * sizeof(*t->iov)) ? -EFAULT : 0;
	for (u32 i = 0; i < n && !err; i++) {
		if ((s64)t->iov[i].iov_len < 0)
			err = -EINVAL;
		else if (!range_ok((u64)t->iov[i].iov_base, t->iov[i].iov_len))
			err = -EFAULT;
		t->iov[i].iov_len = MIN(t->iov[i].iov_len, RW_MAX - t->total);
		t->total += t->iov[i].iov_len;
	}
	if (err)
		transfer_end(t);
	return err;
}

/* May a vector go on with its next piece without waiting? The last one was complete. */
static bool more_at_once(struct file *f, bool write)
{
	const struct file_ops *ops = file_ops[f->type];

	return ops->seekable || !ops->poll || ops->poll(f, NULL) & (write ? EPOLLOUT : EPOLLIN);
}

static s64 transfer_pieces(struct file *f, struct transfer *t, s64 *pos, bool write)
{
	const struct file_ops *ops = file_ops[f->type];
	s64 total = 0;

	for (u32 i = 0; i < t->n; i++) {
		struct iovec *v = &t->iov[i];
		s64 r;

		if (t->n > 1 && v->iov_len == 0)
			continue;
		if (total && !more_at_once(f, write))
			break;
		r = write ? ops->write(f, v->iov_base, v->iov_len, pos)
			  : ops->read(f, v->iov_base, v->iov_len, pos);
		if (r < 0)
			return total ? total : r;
		total += r;
		if ((u64)r < v->iov_len)
			break;
	}
	return total;
}

static s64 transfer_run(struct file *f, struct transfer *t, s64 *pos, bool write)
{
	const struct file_ops *ops = file_ops[f->type];

	if (write && ops->writev)
		return ops->writev(f, t->iov, t->n, pos);
	if (!write && ops->readv)
		return ops->readv(f, t->iov, t->n, pos);
	if (write ? !ops->write : !ops->read)
		return -EISDIR;
	return transfer_pieces(f, t, pos, write);
}

static s64 mode_check(struct file *f, bool write)
{
	const struct file_ops *ops = file_ops[f->type];
	u32 mode = f->flags & O_ACCMODE;

	if (mode == (write ? O_RDONLY : O_WRONLY))
		return -EBADF;
	if (f->type == FILE_DIR)
		return 0; /* which read finds out */
	if (write)
		return ops->write || ops->writev ? 0 : -EINVAL;
	return ops->read || ops->readv ? 0 : -EINVAL;
}

/*
 * What Linux finds fault with before it looks at the buffers: is the file of a kind that has
 * positions (a process descriptor has, though nothing else), may it be read, has it data?
 */
static s64 call_check(struct file *f, const s64 *pos, bool write)
{
	if (pos && !file_ops[f->type]->seekable && f->type != FILE_PIDFD)
		return -ESPIPE;
	return mode_check(f, write);
}

/* No file reaches beyond the largest position. */
static bool beyond(const struct transfer *t, s64 pos)
{
	return (u64)pos + t->total > (u64)INT64_MAX;
}

/* At the file's own position. Its mode has been checked. */
static s64 transfer_file(struct file *f, struct transfer *t, bool write)
{
	s64 r;

	if (!file_ops[f->type]->seekable)
		return transfer_run(f, t, NULL, write);
	/* One store moves the position: an owner that dies leaves it whole. */
	kin_lock_recover(&f->lock, kin_recover_whole, NULL);
	s64 pos = f->pos;
	r = beyond(t, pos) ? -EINVAL : transfer_run(f, t, &pos, write);
	f->pos = pos;
	kin_unlock(&f->lock);
	return r;
}

/* At a position of the caller's. The file's mode has been checked. */
static s64 transfer_at(struct file *f, struct transfer *t, s64 pos, bool write)
{
	if (beyond(t, pos))
		return -EINVAL;
	return transfer_run(f, t, &pos, write);
}

/* What /proc/PID/io shows. */
static void io_count(s64 n, bool write)
{
	struct proc_io *io = &current->proc->kp->io;

	*(write ? &io->writes : &io->reads) += 1;
	*(write ? &io->write_bytes : &io->read_bytes) += n > 0 ? (u64)n : 0;
}

/* Do reads (or writes) of that kind of file know how not to wait? */
static bool can_nowait(const struct file *f, bool write)
{
	switch (f->type) {
	case FILE_PIPE: return !f->inode; /* which a FIFO has */
	case FILE_SOCKET:
	case FILE_INODE:
	case FILE_DEV: return true;
	case FILE_EVENTFD:
	case FILE_TIMERFD:
	case FILE_SIGNALFD: return !write;
	default: return false;
	}
}

/* RWF_*. As on Linux they matter only once a transfer is to take place. */
static s64 rwf_check(struct file *f, u32 rwf, bool write)
{
	u32 known = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND;

	if (f->type == FILE_EVENTFD && write)
		known = RWF_HIPRI; /* an old-fashioned write is all that it has */
	if (rwf & ~known)
		return -EOPNOTSUPP;
	return rwf & RWF_NOWAIT && !can_nowait(f, write) ? -EOPNOTSUPP : 0;
}

static u32 rwf_to_flags(u32 rwf)
{
	return (rwf & RWF_NOWAIT ? O_NONBLOCK : 0) | (rwf & RWF_APPEND ? O_APPEND : 0) |
		   (rwf & RWF_DSYNC ? O_DSYNC : 0) | (rwf & RWF_SYNC ? O_SYNC : 0);
}

/* pos NULL: the file's own. */
static s64 do_transfer(struct file *f, struct transfer *t, const s64 *pos, u32 rwf, bool write)
{
	s64 r = rwf_check(f, rwf, write);

	if (r)
		return r;
	current->io_flags = rwf_to_flags(rwf);
	r = pos ? transfer_at(f, t, *pos, write) : transfer_file(f, t, write);
	current->io_flags = 0;
	io_count(r, write);
	if (r > 0 && f->inode)
		notify_file(f, write ? IN_MODIFY : IN_ACCESS);
	return r;
}

static s64 do_buffer(u64 fd, u64 buf, u64 len, const s64 *pos, bool write)
{
	struct transfer t;
	struct file *f = fd_get(fd);
	s64 r;

	if (!f)
		return -EBADF;
	r = call_check(f, pos, write);
	if (!r)
		r = transfer_one(&t, buf, len);
	if (!r) {
		r = pos ? transfer_at(f, &t, *pos, write) : transfer_file(f, &t, write);
		io_count(r, write);
	}
	if (r > 0 && f->inode)
		notify_file(f, write ? IN_MODIFY : IN_ACCESS);
	file_put(f);
	return r;
}

static s64 do_vector(u64 fd, u64 iov, u64 n, const s64 *pos, u32 rwf, bool write)
{
	struct file *f = fd_get(fd);
	struct transfer t;
	s64 r;

	if (!f)
		return -EBADF;
	r = call_check(f, pos, write);
	if (!r)
		r = transfer_vector(&t, iov, n);
	if (!r) {
		r = t.total ? do_transfer(f, &t, pos, rwf, write) : 0;
		transfer_end(&t);
	}
	file_put(f);
	return r;
}

s64 sys_read(u64 fd, u64 buf, u64 len)
{
	return do_buffer(fd, buf, len, NULL, false);
}

s64 sys_write(u64 fd, u64 buf, u64 len)
{
	return do_buffer(fd, buf, len, NULL, true);
}

s64 sys_pread64(u64 fd, u64 buf, u64 len, u64 pos)
{
	if ((s64)pos < 0)
		return -EINVAL;
	return do_buffer(fd, buf, len, (s64 *)&pos, false);
}

s64 sys_pwrite64(u64 fd, u64 buf, u64 len, u64 pos)
{
	if ((s64)pos < 0)
		return -EINVAL;
	return do_buffer(fd, buf, len, (s64 *)&pos, true);
}

s64 sys_readv(u64 fd, u64 iov, u64 n)
{
	return do_vector(fd, iov, n, NULL, 0, false);
}

s64 sys_writev(u64 fd, u64 iov, u64 n)
{
	return do_vector(fd, iov, n, NULL, 0, true);
}

/* The upper half of the position is for 32-bit callers. */
s64 sys_preadv(u64 fd, u64 iov, u64 n, u64 pos, u64 high)
{
	if ((s64)pos < 0)
		return -EINVAL;
	return do_vector(fd, iov, n, (s64 *)&pos, 0, false);
}

s64 sys_pwritev(u64 fd, u64 iov, u64 n, u64 pos, u64 high)
{
	if ((s64)pos < 0)
		return -EINVAL;
	return do_vector(fd, iov, n, (s64 *)&pos, 0, true);
}

/*
 * RWF_HIPRI, RWF_DSYNC and RWF_SYNC ask for what memory gives anyway; volumes are written through
 * for the latter two.
 */
static s64 do_vector_flags(u64 fd, u64 iov, u64 n, u64 pos, u64 flags, bool write)
{
	if ((s64)pos < -1)
		return -EINVAL;
	return do_vector(fd, iov, n, pos == ~0ull ? NULL : (s64 *)&pos, (u32)flags, write);
}

s64 sys_preadv2(u64 fd, u64 iov, u64 n, u64 pos, u64 high, u64 flags)
{
	return do_vector_flags(fd, iov, n, pos, flags, false);
}

s64 sys_pwritev2(u64 fd, u64 iov, u64 n, u64 pos, u64 high, u64 flags)
{
	return do_vector_flags(fd, iov, n, pos, flags, true);
}

s64 sys_lseek(u64 fd, u64 offset, u64 whence)
{
	struct file *f = fd_get(fd);
	s64 r;

	if (!f)
		return -EBADF;
	if ((u32)whence > SEEK_WHENCE_MAX) {
		r = -EINVAL;
	} else if (!file_ops[f->type]->seek) {
		r = -ESPIPE;
	} else {
		kin_lock_recover(&f->lock, kin_recover_whole, NULL);
		r = file_ops[f->type]->seek(f, offset, whence);
		if (r >= 0)
			f->pos = r;
		kin_unlock(&f->lock);
	}
	file_put(f);
	return r;
}
