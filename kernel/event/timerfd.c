/* SPDX-License-Identifier: ISC */
/*
 * timerfd(2). A timer in kin, shared by all who have the file. Nobody runs it: how often it has
 * expired follows from the clock when somebody reads or polls, and sleepers sleep until it is due.
 * Setting it wakes them.
 *
 * lock protects which of the two states is valid; a new state is written beside the valid one and
 * becomes valid by one store.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/time.h>
#include <linux/timerfd.h>

#include "kernel/arch/arch.h"
#include "kernel/event/event_file.h"
#include "kernel/fd/poll.h"
#include "kernel/fd/transfer.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/text.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"
#include "kernel/vfs/vfs.h"

struct timerfd_state {
	u64 expiry_ns, interval_ns; /* CLOCK_MONOTONIC; expiry 0: disarmed */
};

/* file.priv[0] */
struct timerfd {
	KIN_LOCK(lock, TIMERFD);
	u32 clock; /* no lock: constant */
	_Atomic u32 valid; /* index into state; lock to change */
	_Atomic u32 settime_flags; /* no lock: of the last setting, for /proc */
	struct timerfd_state state[2]; /* lock to change the one that is not valid */
	_Atomic u64 changes; /* settings and reads: edge triggers */
	struct kin_queue waiters;
};

static struct timerfd *timerfd_of(struct file *f)
{
	return (struct timerfd *)f->priv[0];
}

static void timerfd_lock(struct timerfd *t)
{
	kin_lock_recover(&t->lock, kin_recover_whole, NULL);
}

/* Under the lock. */
static void state_set(struct timerfd *t, struct timerfd_state s)
{
	u32 other = !atomic_load(&t->valid);

	t->state[other] = s;
	atomic_store(&t->valid, other);
	atomic_fetch_add(&t->changes, 1);
}

static struct timerfd_state state_get(struct timerfd *t)
{
	struct timerfd_state s;

	timerfd_lock(t);
	s = t->state[atomic_load(&t->valid)];
	kin_unlock(&t->lock);
	return s;
}

static u64 expirations(struct timerfd_state s, u64 now)
{
	if (!s.expiry_ns || now < s.expiry_ns)
		return 0;
	return s.interval_ns ? 1 + (now - s.expiry_ns) / s.interval_ns : 1;
}

/* Takes what has expired: how often. */
static u64 take(struct timerfd *t)
{
	struct timerfd_state s;
	u64 n;

	timerfd_lock(t);
	s = t->state[atomic_load(&t->valid)];
	n = expirations(s, time_mono_ns());
	if (n) {
		s.expiry_ns = s.interval_ns ? s.expiry_ns + n * s.interval_ns : 0;
		state_set(t, s);
	}
	kin_unlock(&t->lock);
	return n;
}

struct expiry_wait {
	struct timerfd *t;
	u64 expiry_ns; /* what is waited for */
};

/* It has expired, or was set to another time. */
static bool expiry_over(void *arg)
{
	struct expiry_wait *w = arg;
	struct timerfd_state s = state_get(w->t);

	return s.expiry_ns != w->expiry_ns || expirations(s, time_mono_ns());
}

/* 0: look again. */
static s64 timerfd_wait(struct timerfd *t)
{
	struct expiry_wait w = {t, state_get(t).expiry_ns};
	u64 deadline = w.expiry_ns ? w.expiry_ns : HYP_NO_DEADLINE;
	s64 err = wait_until(&t->waiters, expiry_over, &w, deadline, WAIT_RESTARTABLE);

	return err == -ETIMEDOUT ? 0 : err;
}

static s64 timerfd_read(struct file *f, void *buf, size_t len, s64 *pos)
{
	struct timerfd *t = timerfd_of(f);
	u64 n;

	if (len < sizeof(n))
		return -EINVAL;
	while (!(n = take(t))) {
		if (file_call_flags(f) & O_NONBLOCK)
			return -EAGAIN;
		s64 err = timerfd_wait(t);
		if (err)
			return err;
	}
	queue_wake_all(&t->waiters); /* an interval goes on: pollers sleep until its next end */
	return copy_out(buf, &n, sizeof(n)) ? -EFAULT : (s64)sizeof(n);
}

static u32 timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = timerfd_of(f);
	struct timerfd_state s;

	poll_wait(pt, &t->waiters);
	s = state_get(t);
	bool expired = expirations(s, time_mono_ns());
	if (s.expiry_ns)
		poll_until(expired ? POLL_SOME_TIME : s.expiry_ns);
	return expired ? EPOLLIN : 0;
}

/* Each expiry is an edge. */
static u64 timerfd_edges(struct file *f)
{
	struct timerfd *t = timerfd_of(f);

	return (atomic_load(&t->changes) << 32) + expirations(state_get(t), time_mono_ns());
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = timerfd_of(f);

	if (!t)
		return;
	queue_destroy(&t->waiters);
	own_free(own_take(OWN_MEMORY, &f->priv[0], NULL));
}

/* What is left until the next expiry; 0: disarmed. */
static u64 remaining(struct timerfd_state s, u64 now)
{
	u64 n = expirations(s, now), next = s.interval_ns ? s.expiry_ns + n * s.interval_ns
										: n           ? 0
													  : s.expiry_ns;

	return next > now ? next - now : 0;
}

static void timerfd_describe(struct file *f, struct text *text)
{
	struct timerfd *t = timerfd_of(f);
	struct timerfd_state s = state_get(t);
	u64 second = NSEC_PER_SEC, now = time_mono_ns(), left = remaining(s, now);

	text_add(text, "clockid: %u\nticks: %lu\nsettime flags: 0%o\n", t->clock,
			 expirations(s, now), (u32)atomic_load(&t->settime_flags));
	text_add(text, "it_value: (%lu, %lu)\nit_interval: (%lu, %lu)\n", left / second,
			 left % second, s.interval_ns / second, s.interval_ns % second);
}

const struct file_ops timerfd_file_ops = {
	.name = "timerfd",
	.read = timerfd_read,
	.seek = seek_nowhere,
	.poll = timerfd_poll,
	.edges = timerfd_edges,
	.stat = anon_stat,
	.describe = timerfd_describe,
	.release = timerfd_release,
};

s64 sys_timerfd_create(u64 clock, u64 flags)
{
	struct event_new new = {.type = FILE_TIMERFD, .mode = O_RDWR, .flags = (u32)flags};
	struct timerfd *t;
	s64 err;

	if (flags & ~(u64)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	switch ((s32)clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM: break;
	default: return -EINVAL;
	}
	err = event_make(&new, sizeof(*t));
	if (err)
		return err;
	t = new.object;
	t->clock = (u32)clock;
	queue_init(&t->waiters);
	return event_install(&new);
}

static s64 timerfd_get(int fd, struct file **f)
{
	*f = fd_get(fd);
	if (!*f)
		return -EBADF;
	if ((*f)->type == FILE_TIMERFD)
		return 0;
	file_put(*f);
	return -EINVAL;
}

/* The monotonic time at which that clock shows ns. */
static u64 absolute(const struct timerfd *t, u64 ns, u64 mono)
{
	u64 shown = mono;

	if (t->clock == CLOCK_REALTIME || t->clock == CLOCK_REALTIME_ALARM)
		shown = time_real_ns();
	else if (t->clock == CLOCK_BOOTTIME || t->clock == CLOCK_BOOTTIME_ALARM)
		shown = time_boot_ns();
	return ns > shown ? time_deadline(mono, ns - shown) : MAX(mono - MIN(shown - ns, mono), 1);
}

static s64 state_out(u64 user, struct timerfd_state s, u64 now)
{
	s64 err = time_timespec_out(user, s.interval_ns);

	return err ? err : time_timespec_out(user + 16, remaining(s, now));
}

s64 sys_timerfd_settime(u64 fd, u64 flags, u64 unew, u64 uold)
{
	struct timerfd_state s, old;
	struct timerfd *t;
	struct file *f;
	u64 now, value;
	s64 err;

	if (flags & ~(u64)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	err = time_timespec_in(unew, &s.interval_ns);
	if (!err)
		err = time_timespec_in(unew + 16, &value);
	if (!err)
		err = timerfd_get((int)fd, &f);
	if (err)
		return err;
	t = timerfd_of(f);
	now = time_mono_ns();
	s.expiry_ns = !value                      ? 0
				  : flags & TFD_TIMER_ABSTIME ? absolute(t, value, now)
											  : time_deadline(now, value);
	timerfd_lock(t);
	old = t->state[atomic_load(&t->valid)];
	state_set(t, s);
	atomic_store(&t->settime_flags, (u32)flags);
	kin_unlock(&t->lock);
	queue_wake_all(&t->waiters);
	file_put(f);
	return uold ? state_out(uold, old, now) : 0;
}

s64 sys_timerfd_gettime(u64 fd, u64 user)
{
	struct timerfd_state s;
	struct file *f;
	s64 err = timerfd_get((int)fd, &f);

	if (err)
		return err;
	s = state_get(timerfd_of(f));
	file_put(f);
	return state_out(user, s, time_mono_ns());
}
