/* SPDX-License-Identifier: ISC */
/*
 * timer_create and its relatives. A timer has at most one signal waiting; the periods that pass
 * while it waits are its overruns, and the next period begins when the signal is taken. Ids are
 * small numbers of the process.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/siginfo.h>
#include <linux/resource.h>
#include <linux/time.h>

#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/task_hooks.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"
#include "kernel/time/timers.h"

#define OVERRUN_MAX 0x7fffffffull

/* struct sigevent of the system-call interface */
struct user_sigevent {
	u64 value;
	s32 signo, notify, tid;
	u8 pad[44];
};
_Static_assert(sizeof(struct user_sigevent) == 64, "struct sigevent of Linux");

static struct timer *find(struct proc *p, s32 id)
{
	struct timer *t;

	if (!p->timers)
		return NULL;
	LIST_FOREACH(t, &p->timers->posix, link) {
		if (t->id == id)
			return t;
	}
	return NULL;
}

static struct thread *find_thread(struct proc *p, s32 tid)
{
	struct thread *t;

	LIST_FOREACH(t, &p->threads, sibling) {
		if (t->tid == tid && t->state != THREAD_DEAD)
			return t;
	}
	return NULL;
}

static u64 saturate(u64 overrun)
{
	return MIN(overrun, OVERRUN_MAX);
}

/* queued tells the caller that the next period has to wait. */
void posix_timer_expired(struct timers *ts, struct timer *t, u64 now)
{
	struct ksiginfo info = { .signo = t->signo, .code = SI_TIMER };
	struct thread *target = NULL;
	int posted;

	info.timer.id = t->id;
	info.timer.value = t->value;
	info.timer.sequence = t->sequence;
	if (t->notify & SIGEV_THREAD_ID) {
		target = find_thread(ts->proc, t->tid);
		posted = target ? signal_post_thread(target, t->signo, &info) : 0;
	} else {
		posted = signal_post(ts->proc->kp, t->signo, &info);
		if (posted == 1) {
			signal_notify(ts->proc->kp, t->signo);
			signalfd_wake(ts->proc->kp);
		}
	}
	t->queued = posted == 1;
}

void timers_signal_taken(struct proc *p, struct ksiginfo *info)
{
	struct timer *t = find(p, info->timer.id);
	u64 sequence = info->timer.sequence;

	info->timer.sequence = 0;
	if (!t || !sequence || t->sequence != sequence || !t->queued)
		return;
	t->queued = false;
	t->overrun = 0;
	if (t->interval_ns) {
		t->overrun = (s32)saturate(timer_forward(t, timer_base_now(t->base)));
		timer_list_add(&p->timers->armed[t->base], t);
		if (t->base != TIMER_MONO)
			p->timers->cpu_check_ns = time_mono_ns();
		timers_changed();
		publish(&p->kp->attention, 1);
	} else {
		t->expiry_ns = 0;
	}
	info->timer.overrun = t->overrun;
}

void timers_signals_discarded(struct proc *p, u64 set)
{
	struct timer *t;

	if (!p->timers)
		return;
	LIST_FOREACH(t, &p->timers->posix, link) {
		if (t->queued && (SIGBIT(t->signo) & set))
			timer_arm(p->timers, t, t->interval_ns ? t->expiry_ns : 0, t->interval_ns);
	}
}

static void timer_free(struct timers *ts, struct timer *t)
{
	timer_list_del(&ts->armed[t->base], t);
	LIST_REMOVE(t, link);
	ts->nposix--;
	kfree(t);
}

void posix_timers_free(struct timers *ts)
{
	while (!LIST_EMPTY(&ts->posix))
		timer_free(ts, LIST_FIRST(&ts->posix));
}

static int base_of(s32 clock, u8 *base)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		*base = TIMER_MONO;
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID:
		*base = TIMER_CPU;
		return 0;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return -EPERM;
	}
	return -EINVAL;
}

static bool sigevent_ok(const struct user_sigevent *e)
{
	switch (e->notify) {
	case SIGEV_NONE: return true;
	case SIGEV_SIGNAL | SIGEV_THREAD_ID:
		if (!find_thread(current->proc, e->tid))
			return false;
		break;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
		break;
	default: return false;
	}
	return e->signo > 0 && e->signo <= NSIG;
}

s64 sys_timer_create(u64 clock, u64 uevent, u64 uid)
{
	struct user_sigevent event = { .signo = SIGALRM, .notify = SIGEV_SIGNAL };
	struct timers *ts;
	struct timer *t;
	u8 base;
	int err = base_of((s32)clock, &base);

	if (err)
		return err;
	if (uevent && copy_in(&event, (void *)uevent, sizeof(event)))
		return -EFAULT;
	if (!sigevent_ok(&event))
		return -EINVAL;
	ts = timers_get();
	if (!ts || ts->nposix >= current->proc->kp->inherited.rlimit_cur[RLIMIT_SIGPENDING])
		return -EAGAIN;
	if (copy_out((void *)uid, &ts->next_id, sizeof(s32)))
		return -EFAULT;
	t = kmalloc(sizeof(*t));
	if (!t)
		return -EAGAIN;
	t->id = ts->next_id;
	ts->next_id = (ts->next_id + 1) & 0x7fffffff;
	t->base = base;
	t->clock = (s32)clock;
	t->notify = event.notify;
	t->signo = event.signo;
	t->tid = event.tid;
	t->value = uevent ? event.value : (u64)t->id;
	LIST_INSERT_HEAD(&ts->posix, t, link);
	ts->nposix++;
	return 0;
}

/* As base nanoseconds; the realtime clocks by their present distance from CLOCK_MONOTONIC. */
static u64 absolute_expiry(const struct timer *t, u64 ns)
{
	u64 now = timer_base_now(t->base), shown = now;

	if (t->clock == CLOCK_REALTIME || t->clock == CLOCK_TAI)
		shown = time_real_ns();
	else if (t->clock == CLOCK_BOOTTIME)
		shown = time_boot_ns();
	return ns > shown ? time_deadline(now, ns - shown) : MAX(now - MIN(shown - ns, now), 1);
}

static int spec_out(u64 user, const struct timer *t)
{
	u64 now = timer_base_now(t->base), left = timer_remaining(t, now);
	int err = time_timespec_out(user, t->interval_ns);

	if (t->notify == SIGEV_NONE && !t->interval_ns && t->expiry_ns <= now)
		left = 0; /* nothing disarmed it */
	return err ? err : time_timespec_out(user + 16, left);
}

s64 sys_timer_settime(u64 id, u64 flags, u64 unew, u64 uold)
{
	struct timer *t = find(current->proc, (s32)id), old;
	u64 value, interval;
	int err;

	if (!unew)
		return -EINVAL;
	err = time_timespec_in(unew, &interval);
	if (!err)
		err = time_timespec_in(unew + 16, &value);
	if (err)
		return err;
	if (!t)
		return -EINVAL;
	old = *t;
	if (value && (flags & TIMER_ABSTIME))
		value = absolute_expiry(t, value);
	else if (value)
		value = time_deadline(timer_base_now(t->base), value);
	t->overrun = 0;
	timer_arm(current->proc->timers, t, value, interval);
	return uold ? spec_out(uold, &old) : 0;
}

s64 sys_timer_gettime(u64 id, u64 user)
{
	struct timer *t = find(current->proc, (s32)id);

	return t ? spec_out(user, t) : -EINVAL;
}

s64 sys_timer_getoverrun(u64 id)
{
	struct timer *t = find(current->proc, (s32)id);

	return t ? t->overrun : -EINVAL;
}

s64 sys_timer_delete(u64 id)
{
	struct timer *t = find(current->proc, (s32)id);

	if (!t)
		return -EINVAL;
	timer_free(current->proc->timers, t);
	timers_changed();
	return 0;
}
