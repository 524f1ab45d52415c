/* SPDX-License-Identifier: ISC */
/*
 * splice(2): between a pipe and a regular file, a device, a stream socket or another pipe. The
 * bytes go through a scratch mapping of the process. What is taken from a pipe cannot be put back,
 * so the receiver has to have room before anything is taken: that of a pipe or a socket is waited
 * for first, and if others use it meanwhile, once more. Other kinds of receivers, whose writes may
 * stop half-way, are refused as Linux refuses what it cannot splice (callers then use read and
 * write).
 *
 * tee(2) copies from ring to ring. vmsplice(2) copies, too: what the application stores in its
 * pages afterwards does not reach the pipe.
 */
#include <asm/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "kernel/fd/poll.h"
#include "kernel/fd/transfer.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/pipe/pipe.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/inode.h"

#define SPLICE_FLAGS 15u   /* MOVE, NONBLOCK, MORE, GIFT */
#define SPLICE_NONBLOCK 2u
#define PIECE (64u << 10)

struct end {
	struct file *file;
	s64 pos;
	u64 pos_addr; /* of the application's offset, or 0 */
};

static bool is_pipe(const struct file *f)
{
	return f->type == FILE_PIPE;
}

static bool nonblocking(struct file *f, u32 flags)
{
	return (flags & SPLICE_NONBLOCK) || (f->flags & O_NONBLOCK);
}

struct pipe_end {
	struct pipe *p;
	u32 end;
};

static bool end_ready(void *arg)
{
	struct pipe_end *e = arg;

	return pipe_poll(e->p, e->end, true);
}

/* Until this end of the pipe would not block: 0, -EAGAIN, -ERESTARTSYS. */
static s64 end_wait(struct pipe *p, u32 end, bool nonblock)
{
	struct kin_queue *q = end == PIPE_WRITES ? &p->writable : &p->readable;
	struct pipe_end e = {p, end};

	if (nonblock)
		return end_ready(&e) ? 0 : -EAGAIN;
	return wait_until(q, end_ready, &e, HYP_NO_DEADLINE, WAIT_RESTARTABLE);
}

/* Bytes that the pipe takes without blocking, at least one; all if nobody reads: EPIPE then. */
static s64 room_wait(struct file *f, bool nonblock)
{
	struct pipe *p = f->pipe;
	s64 err = end_wait(p, PIPE_WRITES, nonblock);
	u64 used = pipe_bytes(p);

	return err ? err : (s64)MAX(1ul, pipe_size(p) - MIN(used, pipe_size(p)));
}

static bool is_stream(struct file *f)
{
	const struct file_ops *ops = file_ops[f->type];

	return ops->stream && ops->stream(f);
}

/* Until a socket can be written to: 0, -EAGAIN, -ERESTARTSYS, or why it never will be. */
static s64 stream_wait(struct file *f, bool nonblock)
{
	struct poll_item item = {.file = f, .want = EPOLLOUT};
	s64 r = poll_items(&item, 1, nonblock ? 0 : HYP_NO_DEADLINE);

	if (r <= 0)
		return nonblock ? -EAGAIN : -ERESTARTSYS;
	return file_ops[f->type]->write(f, NULL, 0, NULL);
}

/* The scratch's n bytes; a pipe blocks if others have used the room meanwhile. */
static s64 put(struct end *to, u64 scratch, size_t n)
{
	struct iovec iov = {(void *)scratch, n};
	size_t done = 0;

	if (is_pipe(to->file))
		return pipe_writev(to->file->pipe, &iov, 1, false);
	while (done < n) {
		s64 m = file_ops[to->file->type]->write(to->file, (void *)(scratch + done), n - done,
			&to->pos);
		if (m == -EAGAIN && is_stream(to->file) && !stream_wait(to->file, false))
			continue;
		if (m <= 0)
			return done ? (s64)done : m;
		done += (size_t)m;
	}
	return (s64)done;
}

/* SPLICE_F_NONBLOCK is about sockets, too. */
static s64 take(struct file *f, struct iovec *iov, s64 *at, u32 flags)
{
	u32 before = current->io_flags;
	s64 n;

	if (flags & SPLICE_NONBLOCK && is_stream(f))
		current->io_flags |= O_NONBLOCK;
	n = file_ops[f->type]->read(f, iov->iov_base, iov->iov_len, at);
	current->io_flags = before;
	return n;
}

static s64 move(struct end *from, struct end *to, u64 scratch, size_t len, u32 flags)
{
	struct iovec iov = {(void *)scratch, 0};
	s64 n, room = PIECE, at = from->pos;

	if (is_pipe(to->file))
		room = room_wait(to->file, nonblocking(to->file, flags));
	else if (is_stream(to->file))
		room = stream_wait(to->file, nonblocking(to->file, flags));
	if (room < 0)
		return room;
	if (is_stream(to->file))
		room = PIECE;
	iov.iov_len = MIN(len, MIN((size_t)room, (size_t)PIECE));
	if (is_pipe(from->file))
		n = pipe_readv(from->file->pipe, &iov, 1, nonblocking(from->file, flags));
	else
		n = take(from->file, &iov, &at, flags);
	if (n <= 0)
		return n;
	n = put(to, scratch, (size_t)n);
	if (n > 0)
		from->pos += n;
	return n;
}

/* Which position an end uses: none, the application's, or that of the description. */
static s64 end_open(struct end *e, struct file *f, u64 pos_addr)
{
	*e = (struct end){f, 0, pos_addr};
	if (pos_addr && copy_in(&e->pos, (const void *)pos_addr, sizeof(e->pos)))
		return -EFAULT;
	if (!pos_addr)
		e->pos = f->pos;
	return e->pos < 0 ? -EINVAL : 0;
}

/* The description's position is not locked meanwhile: a pipe at the other end may sleep. */
static s64 end_close(struct end *e)
{
	if (e->pos_addr)
		return copy_out((void *)e->pos_addr, &e->pos, sizeof(e->pos)) ? -EFAULT : 0;
	if (file_ops[e->file->type]->seekable) {
		kin_lock_recover(&e->file->lock, kin_recover_whole, NULL);
		e->file->pos = e->pos;
		kin_unlock(&e->file->lock);
	}
	return 0;
}

static bool can_splice(struct file *f)
{
	return is_pipe(f) || is_stream(f) || f->type == FILE_DEV ||
		   (f->type == FILE_INODE && S_ISREG(f->inode->mode));
}

/* In Linux' order: positions of pipes, modes, what cannot be joined. */
static s64 check(struct file *in, u64 in_pos, struct file *out, u64 out_pos)
{
	if ((is_pipe(in) && in_pos) || (is_pipe(out) && out_pos))
		return -ESPIPE;
	if ((in->flags & O_ACCMODE) == O_WRONLY || (out->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	if ((in_pos && !file_ops[in->type]->seekable) || (out_pos && !file_ops[out->type]->seekable))
		return -EINVAL;
	if (file_is_null(in))
		return -EINVAL;
	if (!(is_pipe(in) || is_pipe(out)) || !can_splice(in) || !can_splice(out))
		return -EINVAL;
	if (out->flags & O_APPEND || (is_pipe(in) && is_pipe(out) && in->pipe == out->pipe))
		return -EINVAL;
	return 0;
}

static s64 splice(struct file *in, u64 in_pos, struct file *out, u64 out_pos, size_t len, u32 flags)
{
	struct end from, to;
	s64 err = check(in, in_pos, out, out_pos), scratch;

	if (!err)
		err = end_open(&from, in, in_pos);
	if (!err)
		err = end_open(&to, out, out_pos);
	if (err)
		return err;
	scratch = mm_map(current->proc->mm, 0, PIECE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	if (scratch < 0)
		return -ENOMEM;
	s64 n = move(&from, &to, (u64)scratch, len, flags);
	mm_unmap(current->proc->mm, (u64)scratch, PIECE);
	if (n > 0) {
		err = end_close(&from);
		if (!err)
			err = end_close(&to);
	}
	return err ? err : n;
}

s64 sys_splice(u64 infd, u64 in_pos, u64 outfd, u64 out_pos, u64 len, u64 flags)
{
	if (!len)
		return 0;
	if (flags & ~(u64)SPLICE_FLAGS)
		return -EINVAL;
	struct file *in = fd_get((int)infd), *out = fd_get((int)outfd);
	s64 n = -EBADF;

	if (in && out)
		n = splice(in, in_pos, out, out_pos, len, (u32)flags);
	file_put(out);
	file_put(in);
	return n;
}

static s64 tee(struct file *in, struct file *out, size_t len, u32 flags)
{
	bool nonblock = nonblocking(in, flags) || nonblocking(out, flags);
	s64 n = 0;

	if ((in->flags & O_ACCMODE) == O_WRONLY || (out->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	if (!is_pipe(in) || !is_pipe(out) || in->pipe == out->pipe)
		return -EINVAL;
	while (!n) {
		s64 err = end_wait(in->pipe, PIPE_READS, nonblock);
		if (!err)
			err = end_wait(out->pipe, PIPE_WRITES, nonblock);
		if (err)
			return err;
		bool ended = atomic_load(&in->pipe->writers) == 0;
		n = pipe_tee(in->pipe, out->pipe, len);
		if (!n && ended)
			break;
	}
	return n;
}

s64 sys_tee(u64 infd, u64 outfd, u64 len, u64 flags)
{
	if (flags & ~(u64)SPLICE_FLAGS)
		return -EINVAL;
	if (!len)
		return 0;
	struct file *in = fd_get((int)infd), *out = fd_get((int)outfd);
	s64 n = in && out ? tee(in, out, len, (u32)flags) : -EBADF;

	file_put(out);
	file_put(in);
	return n;
}

/* As much as fits once there is room; only the first byte is waited for. */
static s64 pour(struct pipe *p, struct transfer *t, bool nonblock)
{
	s64 n;

	do {
		n = end_wait(p, PIPE_WRITES, nonblock);
		if (!n)
			n = pipe_writev(p, t->iov, t->n, true);
	} while (n == -EAGAIN && !nonblock);
	return n;
}

/* Whether the pipe was opened without blocking does not matter to Linux here. */
static s64 vmsplice(struct file *f, u64 iov, u64 count, bool nonblock)
{
	bool writes = (f->flags & O_ACCMODE) != O_RDONLY;
	struct transfer t;

	s64 n = transfer_vector(&t, iov, count);
	if (n)
		return n;
	if (t.total && !is_pipe(f))
		n = -EBADF;
	else if (t.total && writes)
		n = pour(f->pipe, &t, nonblock);
	else if (t.total)
		n = pipe_readv(f->pipe, t.iov, t.n, nonblock);
	transfer_end(&t);
	return n;
}

s64 sys_vmsplice(u64 fd, u64 iov, u64 count, u64 flags)
{
	if (flags & ~(u64)SPLICE_FLAGS)
		return -EINVAL;
	struct file *f = fd_get((int)fd);
	s64 n = f ? vmsplice(f, iov, count, flags & SPLICE_NONBLOCK) : -EBADF;

	file_put(f);
	return n;
}
