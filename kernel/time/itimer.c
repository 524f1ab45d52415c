/* SPDX-License-Identifier: ISC */
/*
 * alarm, setitimer, getitimer, RLIMIT_CPU. ITIMER_VIRTUAL, ITIMER_PROF and the limit count the CPU
 * time of the member.
 */
#include <asm/errno.h>
#include <linux/resource.h>
#include <linux/time.h>

#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"
#include "kernel/time/timers.h"

#define USEC_PER_SEC 1000000ull
#define SECONDS_MAX (0x7fffffffffffffffull / NSEC_PER_SEC - 1)

struct user_timeval {
	s64 sec, usec;
};
struct user_itimerval {
	struct user_timeval interval, value;
};

static bool to_ns(const struct user_timeval *t, u64 *ns)
{
	if (t->sec < 0 || (u64)t->usec >= USEC_PER_SEC)
		return false;
	*ns = MIN((u64)t->sec, SECONDS_MAX) * NSEC_PER_SEC + (u64)t->usec * 1000;
	return true;
}

/* What is left is never shown as zero while the timer is armed. */
static struct user_timeval from_ns(u64 ns)
{
	u64 usec = ns ? MAX(ns / 1000, 1) : 0;

	return (struct user_timeval){ (s64)(usec / USEC_PER_SEC), (s64)(usec % USEC_PER_SEC) };
}

static void itimer_read(u32 which, struct user_itimerval *v)
{
	struct timers *ts = current->proc->timers;

	*v = (struct user_itimerval){ 0 };
	if (!ts || !ts->itimer[which].expiry_ns)
		return;
	v->value = from_ns(timer_remaining(&ts->itimer[which], timer_base_now(ts->itimer[which].base)));
	v->interval = from_ns(ts->itimer[which].interval_ns);
}

static int itimer_write(u32 which, u64 value_ns, u64 interval_ns)
{
	struct timers *ts = current->proc->timers;
	struct timer *t;

	if (!ts && !value_ns)
		return 0;
	ts = timers_get();
	if (!ts)
		return -ENOMEM;
	t = &ts->itimer[which];
	timer_arm(ts, t, value_ns ? time_deadline(timer_base_now(t->base), value_ns) : 0, interval_ns);
	return 0;
}

s64 sys_getitimer(u64 which, u64 user)
{
	struct user_itimerval v;

	if ((u32)which >= ITIMERS)
		return -EINVAL;
	itimer_read((u32)which, &v);
	return copy_out((void *)user, &v, sizeof(v));
}

s64 sys_setitimer(u64 which, u64 unew, u64 uold)
{
	struct user_itimerval v = { 0 }, old;
	u64 value, interval;
	int err;

	if (unew && copy_in(&v, (void *)unew, sizeof(v)))
		return -EFAULT;
	if (!to_ns(&v.value, &value) || !to_ns(&v.interval, &interval) || (u32)which >= ITIMERS)
		return -EINVAL;
	itimer_read((u32)which, &old);
	err = itimer_write((u32)which, value, interval);
	if (err)
		return err;
	return uold ? copy_out((void *)uold, &old, sizeof(old)) : 0;
}

/* Seconds that were left, rounded, but never to 0. */
s64 sys_alarm(u64 seconds)
{
	struct user_itimerval old;

	itimer_read(ITIMER_REAL, &old);
	if (itimer_write(ITIMER_REAL, (u64)(u32)seconds * NSEC_PER_SEC, 0))
		return 0;
	if ((!old.value.sec && old.value.usec) || old.value.usec >= (s64)USEC_PER_SEC / 2)
		old.value.sec++;
	return old.value.sec;
}

/*
 * RLIMIT_CPU: SIGXCPU when the soft limit is used up and in each further second, SIGKILL at the
 * hard one. No limit is below a second. Source: getrlimit(2), Linux.
 */
#define LIMIT_NONE ~0ull

static u64 limit_ns(const u64 *limits)
{
	u64 seconds = limits[RLIMIT_CPU];

	return seconds == LIMIT_NONE ? LIMIT_NONE : MIN(MAX(seconds, 1), SECONDS_MAX) * NSEC_PER_SEC;
}

void cpu_limit_expired(struct timers *ts, u64 now)
{
	struct proc *p = ts->proc;
	struct proc_inherited *in = &p->kp->inherited;

	if (now >= limit_ns(in->rlimit_max)) {
		signal_send(p->kp, SIGKILL, NULL);
		return;
	}
	signal_send(p->kp, SIGXCPU, NULL);
	in->rlimit_cur[RLIMIT_CPU] = now / NSEC_PER_SEC + 1; /* as Linux does, for all to see */
	ts->cpu_limit.interval_ns = NSEC_PER_SEC;
}

int timers_cpu_limit(void)
{
	struct proc *p = current->proc;
	u64 soft = limit_ns(p->kp->inherited.rlimit_cur), hard = limit_ns(p->kp->inherited.rlimit_max);
	struct timers *ts = p->timers;

	if (soft == LIMIT_NONE && hard == LIMIT_NONE && !ts)
		return 0;
	ts = timers_get();
	if (!ts)
		return -ENOMEM;
	soft = MIN(soft, hard);
	timer_arm(ts, &ts->cpu_limit, soft == LIMIT_NONE ? 0 : soft, 0);
	return 0;
}
