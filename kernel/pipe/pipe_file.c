/* SPDX-License-Identifier: ISC */
/*
 * Pipes as files: which open file descriptions are its ends, pipe(2), named FIFOs, and the table
 * of operations.
 *
 * Death: the counts of readers and writers follow from the files' priv[0]. A change writes down
 * what the counts were (intent), then the file's ends (the publishing store), then the counts;
 * whoever finds the lock orphaned brings the counts in line with the file.
 */
#include <asm/errno.h>
#include <asm/ioctls.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/uio.h>

#include "kernel/arch/arch.h"
#include "kernel/fd/fd_hooks.h"
#include "kernel/fd/transfer.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/modes.h"
#include "kernel/pipe/pipe.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_hooks.h"

#define PIPEFS_DEV 12

static void ends_settle(struct pipe *p)
{
	struct file *f = p->intent.file;
	u32 now = f->priv[0], before = p->intent.ends;

	atomic_store(&p->readers, p->intent.readers + !!(now & PIPE_READS) - !!(before & PIPE_READS));
	atomic_store(&p->writers, p->intent.writers + !!(now & PIPE_WRITES) - !!(before & PIPE_WRITES));
	publish(&p->intent.file, NULL);
}

static bool ends_recover(void *arg)
{
	struct pipe *p = arg;

	if (p->intent.file)
		ends_settle(p);
	return true;
}

static void ends_lock(struct pipe *p)
{
	kin_lock_recover(&p->lock, ends_recover, p);
}

void pipe_set_ends(struct pipe *p, struct file *f, u32 ends)
{
	ends_lock(p);
	p->intent.ends = f->priv[0];
	p->intent.readers = atomic_load(&p->readers);
	p->intent.writers = atomic_load(&p->writers);
	publish(&p->intent.file, f);
	publish(&f->priv[0], (u64)ends);
	ends_settle(p);
	kin_unlock(&p->lock);
}

/*
 * The other side learns that an end is gone, and, in case a member was killed between moving
 * bytes and waking for them, that there are bytes or room.
 */
void pipe_leave(struct pipe *p, struct file *f)
{
	pipe_set_ends(p, f, 0);
	if (atomic_load(&p->writers) == 0)
		queue_wake_all(&p->readable);
	else if (pipe_bytes(p))
		queue_pass_on(&p->readable, 1);
	if (atomic_load(&p->readers) == 0)
		queue_wake_all(&p->writable);
	else if (pipe_poll(p, PIPE_WRITES, true) & EPOLLOUT)
		queue_pass_on(&p->writable, 1);
}

static void pipe_file_release(struct file *f)
{
	if (f->pipe) {
		pipe_leave(f->pipe, f);
		ref_put(OWN_PIPE, &f->pipe);
	}
	inode_drop(&f->inode);
}

static inline bool nonblocking(struct file *f)
{
	return file_call_flags(f) & O_NONBLOCK;
}

static s64 pipe_file_readv(struct file *f, const struct iovec *iov, u32 n, s64 *pos)
{
	return pipe_readv(f->pipe, iov, n, nonblocking(f));
}

static s64 pipe_file_writev(struct file *f, const struct iovec *iov, u32 n, s64 *pos)
{
	if (file_call_flags(f) & O_DIRECT)
		return pipe_write_packets(f->pipe, iov, n, nonblocking(f));
	return pipe_writev(f->pipe, iov, n, nonblocking(f));
}

static s64 pipe_file_read(struct file *f, void *buf, size_t len, s64 *pos)
{
	struct iovec iov = {buf, len};

	return pipe_readv(f->pipe, &iov, 1, nonblocking(f));
}

static s64 pipe_file_write(struct file *f, const void *buf, size_t len, s64 *pos)
{
	struct iovec iov = {(void *)buf, len};

	return pipe_file_writev(f, &iov, 1, pos);
}

static u32 pipe_file_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->pipe;
	u32 ends = f->priv[0];

	if (ends & PIPE_READS)
		poll_wait_for(pt, &p->readable, EPOLLIN | EPOLLRDNORM);
	if (ends & PIPE_WRITES)
		poll_wait_for(pt, &p->writable, EPOLLOUT | EPOLLWRNORM);
	/* A FIFO opened without blocking has not hung up before it had a writer. */
	return pipe_poll(p, ends, f->priv[1] != atomic_load(&p->writer_opens));
}

static s64 pipe_file_ioctl(struct file *f, u32 cmd, u64 arg)
{
	u32 bytes;

	if (cmd != FIONREAD)
		return -ENOTTY;
	bytes = pipe_bytes(f->pipe);
	return copy_out((void *)arg, &bytes, sizeof(bytes));
}

static s64 pipe_file_stat(struct file *f, struct kstat *st)
{
	memset(st, 0, sizeof(*st));
	st->dev = PIPEFS_DEV;
	st->ino = f->pipe->ino;
	st->mode = S_IFIFO | 0600;
	st->nlink = 1;
	st->uid = current->proc->kp->inherited.uid;
	st->gid = current->proc->kp->inherited.gid;
	st->blksize = PAGE_SIZE;
	st->atime_ns = st->mtime_ns = st->ctime_ns = st->btime_ns = f->pipe->created_ns;
	return 0;
}

const struct file_ops pipe_file_ops = {
	.name = "pipe",
	.read = pipe_file_read,
	.write = pipe_file_write,
	.readv = pipe_file_readv,
	.writev = pipe_file_writev,
	.poll = pipe_file_poll,
	.ioctl = pipe_file_ioctl,
	.stat = pipe_file_stat,
	.release = pipe_file_release,
};

s64 pipe_fcntl(struct file *f, u32 cmd, u64 arg)
{
	if (f->type != FILE_PIPE)
		return -EBADF;
	if (cmd == F_GETPIPE_SZ)
		return pipe_size(f->pipe);
	return pipe_resize(f->pipe, (u32)arg);
}

int pipe_create(struct file *pair[2], u32 flags)
{
	struct pipe *p;

	pair[0] = file_alloc(FILE_PIPE, O_RDONLY | (flags & O_NONBLOCK));
	flags &= O_NONBLOCK | O_DIRECT;
	pair[1] = pair[0] ? file_alloc(FILE_PIPE, O_WRONLY | flags) : NULL;
	p = pair[1] ? pipe_new() : NULL;
	if (!p) {
		file_put(pair[1]);
		file_put(pair[0]);
		return -ENFILE;
	}
	p->created_ns = time_real_ns();
	atomic_store(&p->reader_opens, 1);
	atomic_store(&p->writer_opens, 1);
	ref_get(OWN_PIPE, p, &pair[0]->pipe);
	own_give(&pair[1]->pipe, p);
	pipe_set_ends(p, pair[0], PIPE_READS);
	pipe_set_ends(p, pair[1], PIPE_WRITES);
	return 0;
}

static s64 do_pipe(u64 fds, u32 flags)
{
	struct file *pair[2];
	int err;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	err = pipe_create(pair, flags);
	return err ? err : fd_install_pair(pair, flags, fds);
}

s64 sys_pipe(u64 fds)
{
	return do_pipe(fds, 0);
}

s64 sys_pipe2(u64 fds, u64 flags)
{
	return do_pipe(fds, flags);
}

struct opens {
	_Atomic u32 *count;
	u32 before;
};

static bool opened_since(void *arg)
{
	struct opens *o = arg;

	return atomic_load(o->count) != o->before;
}

/* Waits until the other side has been opened, even if it is closed again by now. */
static s64 fifo_wait(struct kin_queue *q, _Atomic u32 *opens, u32 before)
{
	struct opens o = {opens, before};

	return wait_until(q, opened_since, &o, HYP_NO_DEADLINE, WAIT_RESTARTABLE);
}

/* Into f: the pipe that the inode has, or else fresh, which is in hand. */
static bool fifo_join_pipe(struct pipe **slot, struct file *f, struct pipe *fresh)
{
	kin_lock_recover(&ROOT->fifo_lock, kin_recover_whole, NULL);
	bool joined = *slot && ref_get_unless_gone(OWN_PIPE, *slot, (void **)&f->pipe);
	if (!joined && fresh) {
		fresh->fifo = slot;
		publish(slot, fresh);
		own_give(&f->pipe, fresh);
		joined = true;
	}
	kin_unlock(&ROOT->fifo_lock);
	return joined;
}

static struct pipe *fifo_pipe(struct inode *ino, struct file *f)
{
	struct pipe **slot = inode_fifo_slot(ino), *fresh;

	if (fifo_join_pipe(slot, f, NULL))
		return f->pipe;
	fresh = pipe_new();
	if (fresh && fifo_join_pipe(slot, f, fresh) && f->pipe != fresh)
		own_free(fresh);
	return f->pipe;
}

/*
 * fifo(7): a reader waits for a writer and the other way round; O_RDWR waits for nobody. Whether
 * the partner is there is decided before it is told of us: afterwards it may have written and
 * closed already. Its opens are read before its presence, in the reverse order of its own stores.
 */
static s64 fifo_join(struct pipe *p, struct file *f, u32 flags)
{
	bool reads = (flags & O_ACCMODE) != O_WRONLY, writes = (flags & O_ACCMODE) != O_RDONLY;
	u32 reader_opens = atomic_load(&p->reader_opens), writer_opens = atomic_load(&p->writer_opens);
	bool no_reader = atomic_load(&p->readers) == 0, no_writer = atomic_load(&p->writers) == 0;

	if (writes && !reads && (flags & O_NONBLOCK) && no_reader)
		return -ENXIO;
	pipe_set_ends(p, f, (reads ? PIPE_READS : 0) | (writes ? PIPE_WRITES : 0));
	if (reads) {
		atomic_fetch_add(&p->reader_opens, 1);
		queue_wake_all(&p->writable);
	}
	if (writes) {
		atomic_fetch_add(&p->writer_opens, 1);
		queue_wake_all(&p->readable);
	}
	if (reads && writes)
		return 0;
	if (reads && no_writer) {
		if (!(flags & O_NONBLOCK))
			return fifo_wait(&p->readable, &p->writer_opens, writer_opens);
		f->priv[1] = writer_opens;
	}
	if (writes && no_reader)
		return fifo_wait(&p->writable, &p->reader_opens, reader_opens);
	return 0;
}

s64 fifo_open(struct inode *ino, u32 flags, struct file **out)
{
	struct file *f;
	struct pipe *p;
	s64 err;

	if ((flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	f = file_alloc(FILE_PIPE, flags);
	if (!f)
		return -ENFILE;
	inode_ref(&f->inode, ino);
	p = fifo_pipe(ino, f);
	err = p ? fifo_join(p, f, flags) : -ENOMEM;
	if (err) {
		file_put(f);
		return err;
	}
	*out = f;
	return 0;
}
