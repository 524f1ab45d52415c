/* SPDX-License-Identifier: ISC */
/*
 * sendfile and copy_file_range. Between two regular files through a buffer of kernel memory; to
 * anything else through a scratch mapping of application memory, because the operations of files
 * take the application's addresses.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/notify.h"

#define PIECE (256u << 10)
#define COUNT_MAX 0x7ffff000ull

static bool regular(struct file *f)
{
	return f->type == FILE_INODE && S_ISREG(f->inode->mode);
}

/* Scratch memory in the address space of the process, gone when the call ends. */
static s64 scratch_map(void)
{
	return mm_map(current->proc->mm, 0, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				  NULL, 0);
}

static s64 write_all(struct file *out, u64 buf, size_t len, s64 *pos)
{
	size_t done = 0;

	while (done < len) {
		s64 n = file_ops[out->type]->write(out, (void *)(buf + done), len - done, pos);
		if (n <= 0)
			return done ? (s64)done : n;
		done += (size_t)n;
	}
	return (s64)done;
}

/* Moves up to len bytes from *from of in to out. out_pos NULL: not seekable. */
static s64 transfer(struct file *out, s64 *out_pos, struct file *in, s64 *from, size_t len)
{
	s64 scratch = scratch_map();
	size_t done = 0;
	s64 err = 0;

	if (scratch < 0)
		return -ENOMEM;
	while (done < len) {
		s64 at = *from;
		s64 n = file_ops[in->type]->read(in, (void *)scratch, MIN(len - done, PIECE), &at);
		if (n <= 0) {
			err = n;
			break;
		}
		s64 put = write_all(out, (u64)scratch, (size_t)n, out_pos);
		if (put > 0) {
			*from += put;
			done += (size_t)put;
		}
		if (put < n) {
			err = put < 0 ? put : 0;
			break;
		}
	}
	mm_unmap(current->proc->mm, (u64)scratch, PIECE);
	return done ? (s64)done : err;
}

/*
 * The descriptions' own positions are used under their locks; in's first when the two differ by
 * address order.
 */
static void lock_positions(struct file *a, struct file *b)
{
	struct file *first = a && b && a > b ? b : a, *second = first == a ? b : a;

	if (first)
		kin_lock_recover(&first->lock, kin_recover_whole, NULL);
	if (second && second != first)
		kin_lock_recover(&second->lock, kin_recover_whole, NULL);
}

static void unlock_positions(struct file *a, struct file *b)
{
	if (a)
		kin_unlock(&a->lock);
	if (b && b != a)
		kin_unlock(&b->lock);
}

static void account_copied(struct file *in, struct file *out, s64 n)
{
	struct proc_io *io = &current->proc->kp->io;

	if (n <= 0)
		return;
	io->read_bytes += (u64)n;
	io->write_bytes += (u64)n;
	notify_file(in, IN_ACCESS);
	notify_file(out, IN_MODIFY);
}

/* offset: where pos came from and goes to, or 0: in's own position counts. */
static s64 send(struct file *out, struct file *in, u64 offset, s64 pos, size_t count)
{
	s64 start;
	bool seekable = file_ops[out->type]->seekable;

	if ((in->flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	if (offset && !file_ops[in->type]->seekable && in->type != FILE_PIDFD)
		return in->type == FILE_DIR ? -EINVAL : -ESPIPE;
	if (offset && pos < 0)
		return -EINVAL;
	if ((out->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	if (!regular(in) && in->type != FILE_PROC && (in->type != FILE_DEV || file_is_null(in)))
		return -EINVAL;
	if (!file_ops[out->type]->write || (out->flags & O_APPEND))
		return -EINVAL;
	/* Only positions of files are locked: a pipe may sleep, and must not with a lock held. */
	struct file *a = offset ? NULL : in, *b = seekable ? out : NULL;
	if (!seekable && a) { /* work on a copy of the position, stored back at the end */
		pos = start = in->pos;
		s64 n = transfer(out, NULL, in, &pos, count);
		if (n > 0) {
			kin_lock_recover(&in->lock, kin_recover_whole, NULL);
			in->pos = pos;
			kin_unlock(&in->lock);
		}
		return n;
	}
	lock_positions(a, b);
	s64 n = transfer(out, seekable ? &out->pos : NULL, in, offset ? &pos : &in->pos, count);
	unlock_positions(a, b);
	if (n >= 0 && offset && copy_out((void *)offset, &pos, sizeof(pos)))
		return -EFAULT;
	return n;
}

s64 sys_sendfile(u64 outfd, u64 infd, u64 offset, u64 count)
{
	s64 pos = 0, n = -EBADF;

	if (offset && copy_in(&pos, (const void *)offset, sizeof(pos)))
		return -EFAULT;
	struct file *out = fd_get((int)outfd), *in = fd_get((int)infd);
	if (out && in)
		n = send(out, in, offset, pos, MIN(count, COUNT_MAX));
	account_copied(in, out, n);
	file_put(in);
	file_put(out);
	return n;
}

static s64 copy_range(struct file *in, u64 inpos, struct file *out, u64 outpos, size_t len)
{
	s64 from, to;

	if (in->type == FILE_DIR || out->type == FILE_DIR)
		return -EISDIR;
	if (!(regular(in) || in->type == FILE_PROC) || !(regular(out) || out->type == FILE_PROC))
		return -EINVAL;
	if ((in->flags & O_ACCMODE) == O_WRONLY || (out->flags & O_ACCMODE) == O_RDONLY ||
		(out->flags & O_APPEND))
		return -EBADF;
	if (!regular(in) || !regular(out))
		return -EXDEV;
	if ((inpos && copy_in(&from, (const void *)inpos, sizeof(from))) ||
		(outpos && copy_in(&to, (const void *)outpos, sizeof(to))))
		return -EFAULT;
	lock_positions(inpos ? NULL : in, outpos ? NULL : out);
	s64 *pfrom = inpos ? &from : &in->pos, *pto = outpos ? &to : &out->pos;
	s64 n = -EINVAL;
	bool overlap = in->inode == out->inode && *pfrom < *pto + (s64)len && *pto < *pfrom + (s64)len;
	if (*pfrom >= 0 && *pto >= 0 && !overlap)
		n = transfer(out, pto, in, pfrom, len);
	unlock_positions(inpos ? NULL : in, outpos ? NULL : out);
	if (n >= 0 && ((inpos && copy_out((void *)inpos, &from, sizeof(from))) ||
				   (outpos && copy_out((void *)outpos, &to, sizeof(to)))))
		return -EFAULT;
	return n;
}

s64 sys_copy_file_range(u64 infd, u64 inpos, u64 outfd, u64 outpos, u64 len, u64 flags)
{
	struct file *in = fd_get((int)infd), *out = fd_get((int)outfd);
	s64 n = -EBADF;

	if (in && out)
		n = flags ? -EINVAL : copy_range(in, inpos, out, outpos, MIN(len, COUNT_MAX));
	account_copied(in, out, n);
	file_put(out);
	file_put(in);
	return n;
}
