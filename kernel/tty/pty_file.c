/* SPDX-License-Identifier: ISC */
/*
 * Both sides of a pseudo-terminal as files: reading, writing, readiness. Characters pass through a
 * buffer on the kernel stack, so that no application memory is touched under the terminal's lock.
 *
 * Waiting: each side has one queue for all that may interest it; whoever changes something wakes
 * the other side's after the lock is released, and sleepers look again.
 */
#include <asm/errno.h>
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "kernel/fd/fd_owner.h"
#include "kernel/lib/lib.h"
#include "kernel/time/time.h"
#include "kernel/tty/pty.h"

#define READ_MAX 4096 /* by one call, as Linux's buffer gives */
#define PIECE 1024
#define ALL_READY (EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM)

static bool nonblocking(struct file *f)
{
	return f->flags & O_NONBLOCK;
}

/*
 * One sleep on q unless ready(p) holds by now. 0: look again. -EAGAIN: would block. -ETIMEDOUT,
 * -ERESTARTSYS.
 */
static s64 wait_for(struct file *f, struct kin_queue *q, bool (*ready)(void *), u64 deadline_ns)
{
	if (nonblocking(f) && !ready(f)) {
		owner_wants_room(f);
		return -EAGAIN;
	}
	if (nonblocking(f))
		return 0;
	return wait_until(q, ready, f, deadline_ns, WAIT_RESTARTABLE);
}

/* ---- the slave */

static bool slave_readable(void *f)
{
	struct pty *p = pty_of(f);

	return p->hung_up || ldisc_ready(p, 1);
}

static bool slave_writable(void *f)
{
	struct pty *p = pty_of(f);

	return p->hung_up || (!p->stopped && output_room(p) >= OUTPUT_MARGIN);
}

/* Takes what is there: bytes copied, *end, or -EFAULT. */
static s64 slave_take(struct pty *p, char *buf, size_t len, bool *end)
{
	char bytes[PIECE];
	size_t done = 0, n;

	len = MIN(len, READ_MAX);
	do {
		pty_lock(p);
		n = ldisc_take(p, bytes, MIN(len - done, sizeof(bytes)), end);
		kin_unlock(&p->lock);
		if (copy_out(buf + done, bytes, n))
			return -EFAULT;
		done += n;
	} while (n && !*end && done < len);
	queue_wake_for(&p->master_events, EPOLLOUT);
	return (s64)done;
}

static u64 tenths(struct pty *p, u32 n)
{
	return time_deadline(time_mono_ns(), n * (NSEC_PER_SEC / 10));
}

static s64 slave_read(struct file *f, char *buf, size_t len)
{
	struct pty *p = pty_of(f);
	s64 done = 0, err = 0;

	if (p->hung_up)
		return 0;
	err = job_may_read(&p->job);
	if (err)
		return err;
	bool canonical = p->settings.c_lflag & ICANON;
	u32 min = p->settings.c_cc[VMIN], time = p->settings.c_cc[VTIME];
	u64 deadline = !canonical && !min ? tenths(p, time) : HYP_NO_DEADLINE;
	while (done < (s64)len) {
		bool end = false;
		s64 n = ldisc_ready(p, 1) ? slave_take(p, buf + done, len - (size_t)done, &end) : 0;
		if (n < 0)
			return n;
		done += n;
		if (end || (n && (p->settings.c_lflag & ICANON)) || (!canonical && done && done >= min))
			break;
		if (n && time)
			deadline = tenths(p, time);
		if (p->hung_up) {
			err = done ? 0 : -EIO;
			break;
		}
		err = wait_for(f, &p->slave_events, slave_readable, deadline);
		if (err)
			break;
		canonical = p->settings.c_lflag & ICANON;
	}
	return done || err == -ETIMEDOUT ? done : err;
}

static s64 slave_write(struct file *f, const char *buf, size_t len)
{
	struct pty *p = pty_of(f);
	char bytes[PIECE];
	size_t done = 0;
	s64 err = 0;

	if (p->settings.c_lflag & TOSTOP)
		err = job_may_write(&p->job);
	while (!err && done < len) {
		size_t n = MIN(len - done, sizeof(bytes)), put = 0;

		if (p->hung_up)
			err = -EIO;
		else if (copy_in(bytes, buf + done, n))
			err = -EFAULT;
		while (!err && put < n) {
			pty_lock(p);
			if (!p->stopped && !p->hung_up)
				put += output_write(p, bytes + put, n - put);
			kin_unlock(&p->lock);
			queue_wake_for(&p->master_events, EPOLLIN);
			if (put < n)
				err = p->hung_up ? -EIO
								 : wait_for(f, &p->slave_events, slave_writable, HYP_NO_DEADLINE);
		}
		done += put;
	}
	return done ? (s64)done : err;
}

/* ---- the master */

static bool slaves_gone(struct pty *p)
{
	return p->slave_came && !p->slaves;
}

static bool master_readable(void *f)
{
	struct pty *p = pty_of(f);

	return p->out_head != p->out_tail || (p->packet && p->packet_events) || slaves_gone(p);
}

static bool master_writable(void *f)
{
	struct pty *p = pty_of(f);

	return p->in_head - p->in_tail < PTY_RING - 2;
}

/* One piece: bytes stored, 0 if there is nothing. In packet mode its first byte says what it is. */
static size_t master_take(struct pty *p, char *bytes, size_t len)
{
	bool output = p->out_head != p->out_tail;

	if (!p->packet)
		return output_take(p, bytes, len);
	if (!p->packet_events && !output)
		return 0;
	bytes[0] = (char)p->packet_events;
	if (!p->packet_events)
		return 1 + output_take(p, bytes + 1, len - 1);
	p->packet_events = 0;
	return 1;
}

static s64 master_read(struct file *f, char *buf, size_t len)
{
	struct pty *p = pty_of(f);
	char bytes[PIECE];
	size_t done = 0, n;

	len = MIN(len, READ_MAX);
	for (;;) {
		do {
			pty_lock(p);
			n = master_take(p, bytes, MIN(len - done, sizeof(bytes)));
			kin_unlock(&p->lock);
			if (copy_out(buf + done, bytes, n))
				return -EFAULT;
			done += n;
		} while (n && done < len && !p->packet);
		if (done) {
			queue_wake_for(&p->slave_events, EPOLLOUT);
			return (s64)done;
		}
		if (slaves_gone(p))
			return -EIO;
		s64 err = wait_for(f, &p->master_events, master_readable, HYP_NO_DEADLINE);
		if (err)
			return err;
	}
}

static void send_signals(struct pty *p, u32 signals)
{
	static const struct {
		u32 bit;
		int sig;
	} table[] = {{LDISC_SIGINT, SIGINT}, {LDISC_SIGQUIT, SIGQUIT}, {LDISC_SIGTSTP, SIGTSTP}};
	s32 foreground = p->job.foreground_pgid;

	if (!signals || !foreground)
		return;
	tree_lock();
	for (u32 i = 0; i < ARRAY_SIZE(table); i++)
		if (signals & table[i].bit)
			group_signal(foreground, table[i].sig, NULL);
	tree_unlock();
}

/* Under p->lock: how far the slave may read. */
static u64 readable_end(struct pty *p)
{
	return p->settings.c_lflag & ICANON ? p->in_line : p->in_head;
}

size_t pty_typed(struct pty *p, const char *bytes, size_t n)
{
	u32 signals = 0;

	pty_lock(p);
	u64 readable = readable_end(p), echoed = p->out_head;
	size_t put = ldisc_type(p, bytes, n, &signals);
	readable = readable_end(p) - readable;
	echoed = p->out_head - echoed;
	kin_unlock(&p->lock);
	send_signals(p, signals);
	queue_wake_for(&p->slave_events, readable ? EPOLLIN : WAKE_NO_OWNER);
	queue_wake_for(&p->master_events, echoed ? EPOLLIN : WAKE_NO_OWNER);
	return put;
}

size_t pty_shown(struct pty *p, char *bytes, size_t n)
{
	pty_lock(p);
	n = output_take(p, bytes, n);
	kin_unlock(&p->lock);
	if (n)
		queue_wake_for(&p->slave_events, EPOLLOUT);
	return n;
}

void pty_said(struct pty *p, const char *bytes, size_t n)
{
	pty_lock(p);
	output_write(p, bytes, n);
	kin_unlock(&p->lock);
	queue_wake_for(&p->master_events, EPOLLIN);
}

static s64 master_write(struct file *f, const char *buf, size_t len)
{
	struct pty *p = pty_of(f);
	char bytes[PIECE];
	size_t done = 0;
	s64 err = 0;

	while (!err && done < len) {
		size_t n = MIN(len - done, sizeof(bytes)), put = 0;

		if (copy_in(bytes, buf + done, n))
			err = -EFAULT;
		while (!err && put < n) {
			put += pty_typed(p, bytes + put, n - put);
			if (put < n)
				err = wait_for(f, &p->master_events, master_writable, HYP_NO_DEADLINE);
		}
		done += put;
	}
	return done ? (s64)done : err;
}

/* ---- operations */

static s64 pty_read(struct file *f, void *buf, size_t len, s64 *pos)
{
	if (!len)
		return 0;
	return pty_is_master(f) ? master_read(f, buf, len) : slave_read(f, buf, len);
}

static s64 pty_write(struct file *f, const void *buf, size_t len, s64 *pos)
{
	return pty_is_master(f) ? master_write(f, buf, len) : slave_write(f, buf, len);
}

static u32 master_poll(struct file *f)
{
	struct pty *p = pty_of(f);
	u32 got = 0;

	if (p->out_head != p->out_tail)
		got |= EPOLLIN | EPOLLRDNORM;
	if (p->packet && p->packet_events)
		got |= EPOLLPRI | EPOLLIN | EPOLLRDNORM;
	if (slaves_gone(p))
		got |= EPOLLHUP;
	if (master_writable(f))
		got |= EPOLLOUT | EPOLLWRNORM;
	return got;
}

static u32 slave_poll(struct file *f)
{
	struct pty *p = pty_of(f);
	u32 min = p->settings.c_cc[VMIN];
	u32 got = 0;

	if (p->hung_up)
		return ALL_READY | EPOLLERR | EPOLLHUP;
	if (ldisc_ready(p, !p->settings.c_cc[VTIME] && min ? min : 1))
		got |= EPOLLIN | EPOLLRDNORM;
	if (slave_writable(f))
		got |= EPOLLOUT | EPOLLWRNORM;
	return got;
}

static u32 pty_poll(struct file *f, struct poll_table *pt)
{
	struct pty *p = pty_of(f);

	if (pty_is_master(f)) {
		poll_wait(pt, &p->master_events);
		return master_poll(f);
	}
	poll_wait(pt, &p->slave_events);
	return slave_poll(f);
}

static u64 pty_edges(struct file *f)
{
	struct pty *p = pty_of(f);

	return pty_is_master(f) ? p->out_head + p->in_tail + slaves_gone(p)
							: p->in_head + p->out_tail + p->hung_up;
}

const struct file_ops pty_file_ops = {
	.name = "pty",
	.read = pty_read,
	.write = pty_write,
	.poll = pty_poll,
	.edges = pty_edges,
	.ioctl = pty_ioctl,
	.stat = file_stat,
	.release = pty_file_release,
};
