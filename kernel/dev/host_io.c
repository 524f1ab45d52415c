/* SPDX-License-Identifier: ISC */
/*
 * The family's standard input, output and error: host handles 0, 1 and 2 as files. Reading waits
 * in the kernel's own sleep first, so that other threads run and signals arrive; the host's read
 * then does not block. Writing is tried first and may block in the monitor, until an interrupt
 * comes; the rest of the wait is the kernel's own sleep, too. What need not wait is not
 * interrupted: the monitor sees to that. Application memory is passed to the monitor where it lies
 * (mm_host_span).
 *
 * The handles are those of the member's session (abi/kin.h). A file that was passed on to a member
 * of another session is of no use there: each operation is refused with EIO.
 */
#include <asm/errno.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/uio.h>

#include "kernel/dev/dev.h"
#include "kernel/fd/poll.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/sched/sched_hooks.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"
#include "kernel/tty/host_tty.h"
#include "kernel/tty/job.h"
#include "kernel/tty/pty.h"
#include "kernel/vfs/vfs_hooks.h"

#define GATHER 65536

static int handle_of(struct file *f)
{
	return (int)f->priv[HOST_IO_HANDLE];
}

static bool elsewhere(const struct file *f)
{
	return f->priv[HOST_IO_SESSION] != member_self()->session;
}

static bool is_regular(struct file *f)
{
	return S_ISREG(f->priv[HOST_IO_MODE]);
}

/* What is ready now, without waiting. */
static u32 ready(struct file *f, u32 events)
{
	struct hyp_pollfd p = {.handle = handle_of(f), .events = (s16)events};

	return host_sleep(0, HYP_LOOK, &p, 1, HYP_NO_MEMBER, NULL) > 0 ? (u16)p.revents : 0;
}

/* Sleeps until the handle is ready. 0, -ERESTARTSYS, -ETIMEDOUT. */
static s64 wait_ready(struct file *f, u32 events, u64 deadline_ns)
{
	struct hyp_pollfd p = {.handle = handle_of(f), .events = (s16)events};

	for (;;) {
		int err = thread_sleep_mode(deadline_ns, SLEEP_INTERRUPTIBLE, &p, 1);
		if (err < 0)
			return err == -EINTR ? -ERESTARTSYS : err;
		if (p.revents)
			return 0;
	}
}

static enum hyp_io may_wait(struct file *f)
{
	return f->flags & O_NONBLOCK && !is_regular(f) ? HYP_IO_NOWAIT : HYP_IO_WAIT;
}

static s64 read_regular(struct file *f, u64 buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		u64 host;
		u64 n = mm_host_span(current->proc->mm, buf + done, len - done, true, &host);
		if (!n)
			return done ? (s64)done : -EFAULT;
		s64 got = host_io_read(handle_of(f), (void *)host, MIN(n, 8ull << 20), HYP_IO_WAIT);
		if (got == -EINTR)
			continue;
		if (got < 0)
			return done ? (s64)done : got;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (s64)done;
}

/*
 * Before a read: 0 when there is something, or nothing will come; -ERESTARTSYS, -ETIMEDOUT. A
 * signal that is there already does not matter to what need not wait.
 */
static s64 wait_readable(struct file *f, u64 timeout_ns)
{
	u64 deadline = timeout_ns == HYP_NO_DEADLINE ? timeout_ns : time_mono_ns() + timeout_ns;
	s64 err = wait_ready(f, POLLIN, deadline);

	return err == -ERESTARTSYS && ready(f, POLLIN) ? 0 : err;
}

static s64 host_io_read_op(struct file *f, void *buf, size_t len, s64 *pos)
{
	enum hyp_io wait = may_wait(f);
	bool again = false;

	if (elsewhere(f))
		return -EIO;
	if (!len)
		return 0;
	if (is_regular(f))
		return read_regular(f, (u64)buf, len);
	for (;;) {
		u64 host, timeout = HYP_NO_DEADLINE;
		if (f->priv[HOST_IO_TTY]) {
			s64 err = tty_may_read(handle_of(f));
			if (err)
				return err;
			timeout = tty_read_timeout(handle_of(f));
		}
		s64 err = wait == HYP_IO_WAIT ? wait_readable(f, timeout) : 0;
		if (err)
			return err == -ETIMEDOUT ? 0 : err;
		u64 n = mm_host_span(current->proc->mm, (u64)buf, len, true, &host);
		if (!n)
			return -EFAULT;
		s64 got = host_io_read(handle_of(f), (void *)host, MIN(n, 8ull << 20), wait);
		if (got == -EIO && f->priv[HOST_IO_TTY]) { /* is the background the reason? */
			err = tty_may_read(handle_of(f));
			if (err)
				return err;
			again = !again; /* it was: the shell has given the terminal back meanwhile */
			if (again)
				continue;
		}
		if (got == -EAGAIN && wait == HYP_IO_NOWAIT)
			return timeout ? -EAGAIN : 0;
		if (got != -EINTR && got != -EAGAIN)
			return got;
	}
}

/*
 * One piece. Bytes, or -errno; -ERESTARTSYS when it had to wait and a signal came before anything
 * was written.
 */
static s64 write_piece(struct file *f, const void *host, size_t n)
{
	enum hyp_io wait = may_wait(f);

	for (;;) {
		s64 got = host_io_write(handle_of(f), host, n, wait);
		if (got == -EPIPE)
			signal_send_thread(current, SIGPIPE, NULL);
		if (got != -EINTR && (got != -EAGAIN || wait == HYP_IO_NOWAIT))
			return got;
		s64 err = wait_ready(f, POLLOUT, HYP_NO_DEADLINE);
		if (err)
			return err;
	}
}

static s64 host_io_write_op(struct file *f, const void *buf, size_t len, s64 *pos)
{
	size_t done = 0;

	if (elsewhere(f))
		return -EIO;
	if (f->priv[HOST_IO_TTY]) {
		s64 err = tty_may_write(handle_of(f));
		if (err)
			return err;
	}
	while (done < len) {
		u64 host;
		u64 n = mm_host_span(current->proc->mm, (u64)buf + done, len - done, false, &host);
		if (!n)
			return done ? (s64)done : -EFAULT;
		s64 got = write_piece(f, (const void *)host, MIN(n, 8ull << 20));
		if (got < 0)
			return done ? (s64)done : got;
		done += (size_t)got;
	}
	return (s64)done;
}

/*
 * A vector in one write: output of several members stays in lines, and a pipe keeps its
 * atomicity.
 */
static s64 host_io_writev(struct file *f, const struct iovec *iov, u32 n, s64 *pos)
{
	s64 total = 0, got = 0;

	if (elsewhere(f))
		return -EIO;
	for (u32 i = 0; i < n; i++)
		total += (s64)iov[i].iov_len;
	char *buf = total > 0 && total <= GATHER ? kmalloc((size_t)total) : NULL;
	if (!buf || n == 1 || (f->flags & O_NONBLOCK)) {
		kfree(buf);
		for (total = 0; n--; iov++) {
			got = iov->iov_len ? host_io_write_op(f, iov->iov_base, iov->iov_len, pos) : 0;
			if (got < 0)
				return total ? total : got;
			total += got;
			if ((size_t)got < iov->iov_len)
				break;
		}
		return total;
	}
	s64 len = 0;
	for (u32 i = 0; i < n && got == 0; i++) {
		size_t missing = copy_in_some(buf + len, iov[i].iov_base, iov[i].iov_len);
		len += (s64)(iov[i].iov_len - missing);
		got = missing ? -EFAULT : 0;
	}
	if (len)
		got = f->priv[HOST_IO_TTY] ? tty_may_write(handle_of(f)) : 0;
	for (total = 0; total < len && !got;) {
		s64 put = write_piece(f, buf + total, (size_t)(len - total));
		if (put > 0)
			total += put;
		else
			got = put ? put : -EIO;
	}
	kfree(buf);
	return total ? total : got;
}

static s64 host_io_seek_op(struct file *f, s64 offset, int whence)
{
	return elsewhere(f) ? -EIO : host_io_seek(handle_of(f), offset, whence);
}

static s64 host_io_ioctl_op(struct file *f, u32 cmd, u64 arg)
{
	return elsewhere(f) ? -EIO : tty_ioctl(f, cmd, arg);
}

static u32 host_io_poll(struct file *f, struct poll_table *pt)
{
	if (elsewhere(f))
		return POLLERR | POLLHUP;
	if (is_regular(f))
		return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	u32 got = ready(f, POLLIN | POLLOUT | POLLPRI);
	/*
	 * Only what is wanted and not ready is worth sleeping for: a terminal is nearly always ready
	 * for writing, and a handle that is ready ends every sleep at once.
	 */
	if (pt)
		poll_wait_host(pt, handle_of(f), (POLLIN | POLLOUT | POLLPRI) & pt->want & ~got);
	if (got & POLLIN)
		got |= POLLRDNORM;
	if (got & POLLOUT)
		got |= POLLWRNORM;
	return got & ~(u32)POLLNVAL;
}

static s64 host_io_stat(struct file *f, struct kstat *st)
{
	struct hyp_stat h;
	s64 err = elsewhere(f) ? -EIO : host_fs_fstat(handle_of(f), &h);

	if (!err)
		hyp_to_kstat(&h, st);
	return err;
}

const struct file_ops host_io_file_ops = {
	.name = "host",
	.read = host_io_read_op,
	.write = host_io_write_op,
	.writev = host_io_writev,
	.poll = host_io_poll,
	.ioctl = host_io_ioctl_op,
	.seek = host_io_seek_op,
	.stat = host_io_stat,
	.release = file_drop_inode,
	.seekable = false, /* the offset is the host's, shared with whoever else has the file */
};

static struct file *host_io_new(int handle, u32 flags)
{
	struct hyp_stat st;

	if (host_fs_fstat(handle, &st))
		return NULL;
	struct file *f = file_alloc(FILE_HOST_IO, flags & ~(u32)O_NOCTTY);
	if (!f)
		return NULL;
	f->priv[HOST_IO_HANDLE] = (u64)handle;
	f->priv[HOST_IO_MODE] = st.mode;
	f->priv[HOST_IO_SESSION] = member_self()->session;
	f->priv[HOST_IO_TTY] = S_ISCHR(st.mode) && tty_is(handle);
	struct inode *node = vfs_shared()->tty;
	if (node && f->priv[HOST_IO_TTY] && node->rdev == st.rdev) {
		char name[24];
		inode_ref(&f->inode, node);
		ksnprintf(name, sizeof(name), "/dev/pts/%lu", st.rdev & 0xff);
		file_set_path(f, name);
	}
	return f;
}

struct file *host_io_file(int handle)
{
	return host_io_new(handle, O_RDWR);
}

/* Whichever standard handle is a terminal; -1: none. */
static int terminal_handle(void)
{
	for (int handle = 0; handle <= 2; handle++)
		if (tty_is(handle))
			return handle;
	return -1;
}

u64 terminal_rdev(void)
{
	struct hyp_stat st;
	int handle = terminal_handle();

	return handle < 0 || host_fs_fstat(handle, &st) ? 0 : st.rdev;
}

s64 terminal_open(struct file **out, u32 flags)
{
	int handle = terminal_handle();

	if (handle < 0)
		return -ENXIO;
	if (job_excludes(console_get()))
		return -EBUSY;
	if (!(flags & O_NOCTTY))
		job_acquire(console_get(), false);
	*out = host_io_new(handle, flags & ~(u32)O_NOCTTY);
	return *out ? 0 : -ENFILE;
}

/* /dev/tty: the terminal that this session has. */
s64 tty_open(struct inode *ino, struct file **out, u32 flags)
{
	struct console *c = console_of_session(current->proc->kp->sid);

	if (!c)
		return -ENXIO;
	if (c != console_get())
		return pty_terminal_open(c, ino, flags, out);
	return terminal_open(out, flags | O_NOCTTY);
}

/* Through /proc/self/fd/N: a new description where that makes sense, else the same one. */
s64 file_reopen(struct file *f, u32 flags, struct file **out)
{
	u32 have = f->flags & O_ACCMODE, want = flags & O_ACCMODE;

	if (flags & O_PATH)
		return -EOPNOTSUPP;
	if (f->type == FILE_HOST_IO) {
		if (elsewhere(f))
			return -EIO;
		*out =
			host_io_new((int)f->priv[HOST_IO_HANDLE], flags & (O_ACCMODE | O_NONBLOCK | O_APPEND));
		return *out ? 0 : -ENFILE;
	}
	if (f->type != FILE_PIPE)
		return -ENXIO;
	if (f->inode)
		return fifo_open(f->inode, flags & (O_ACCMODE | O_NONBLOCK), out);
	if (have != O_RDWR && have != want)
		return -EACCES;
	file_hold(f); /* until fd_install takes it over */
	*out = f;
	return 0;
}
