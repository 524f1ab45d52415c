/* SPDX-License-Identifier: ISC */
/*
 * The timers of the member's processes (one process, two during vfork): what is due and when to
 * look next. Nothing here is shared; expiry posts a signal like any other sender. Timers that count
 * CPU time cannot expire before that much real time has passed (one vCPU), so they are looked at
 * then, and again until they are due.
 */
#include <stdatomic.h>

#include <asm/siginfo.h>
#include <linux/time.h>

#include "kernel/host/host.h"
#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"
#include "kernel/time/timers.h"

#define CPU_CHECK_MIN_NS 1000000ull

static LIST_HEAD(, timers) all = LIST_HEAD_INITIALIZER(all);
/* Over all processes of the member. */
static u64 next_ns = HYP_NO_DEADLINE, next_cpu_ns = HYP_NO_DEADLINE;

u64 timers_next(void)
{
	return MIN(next_ns, next_cpu_ns);
}

u64 timers_next_asleep(void)
{
	return next_ns;
}

u64 timer_base_now(u8 base)
{
	struct hyp_usage usage;

	switch (base) {
	case TIMER_CPU: return time_process_cpu_ns();
	case TIMER_CPU_USER: return host_usage(&usage) < 0 ? 0 : usage.utime_ns;
	default: return time_mono_ns();
	}
}

void timers_changed(void)
{
	struct timers *ts;

	next_ns = next_cpu_ns = HYP_NO_DEADLINE;
	LIST_FOREACH(ts, &all, link) {
		struct timer *first = TAILQ_FIRST(&ts->armed[TIMER_MONO]);

		if (first)
			next_ns = MIN(next_ns, first->expiry_ns);
		next_cpu_ns = MIN(next_cpu_ns, ts->cpu_check_ns);
	}
}

struct timers *timers_get(void)
{
	struct proc *p = current->proc;
	struct timers *ts = p->timers;

	if (ts)
		return ts;
	ts = kmalloc(sizeof(*ts));
	if (!ts)
		return NULL;
	ts->proc = p;
	ts->member = BOOT_INFO->member;
	ts->generation = BOOT_INFO->generation;
	ts->cpu_check_ns = HYP_NO_DEADLINE;
	for (u32 i = 0; i < TIMER_BASES; i++)
		TAILQ_INIT(&ts->armed[i]);
	for (s32 i = 0; i < ITIMERS; i++)
		ts->itimer[i].id = -1 - i;
	ts->cpu_limit.id = -1 - ITIMERS;
	ts->cpu_limit.base = TIMER_CPU;
	ts->itimer[ITIMER_VIRTUAL].base = TIMER_CPU_USER;
	ts->itimer[ITIMER_PROF].base = TIMER_CPU;
	ts->itimer[ITIMER_REAL].signo = SIGALRM;
	ts->itimer[ITIMER_VIRTUAL].signo = SIGVTALRM;
	ts->itimer[ITIMER_PROF].signo = SIGPROF;
	LIST_INSERT_HEAD(&all, ts, link);
	p->timers = ts;
	return ts;
}

/* When CPU-time timers may be due at the earliest. */
static void plan_cpu_check(struct timers *ts)
{
	u64 mono = time_mono_ns();

	ts->cpu_check_ns = HYP_NO_DEADLINE;
	for (u8 base = TIMER_CPU; base < TIMER_BASES; base++) {
		struct timer *first = TAILQ_FIRST(&ts->armed[base]);
		u64 now, left;

		if (!first)
			continue;
		now = timer_base_now(base);
		left = first->expiry_ns > now ? first->expiry_ns - now : 0;
		left = MAX(left, CPU_CHECK_MIN_NS);
		ts->cpu_check_ns = MIN(ts->cpu_check_ns, time_deadline(mono, left));
	}
}

static void list_timer(struct timers *ts, struct timer *t)
{
	timer_list_del(&ts->armed[t->base], t);
	if (t->expiry_ns && t->notify != SIGEV_NONE)
		timer_list_add(&ts->armed[t->base], t);
}

void timer_arm(struct timers *ts, struct timer *t, u64 expiry_ns, u64 interval_ns)
{
	t->expiry_ns = expiry_ns;
	t->interval_ns = interval_ns;
	t->queued = false;
	t->sequence++;
	list_timer(ts, t);
	if (t->base != TIMER_MONO)
		plan_cpu_check(ts);
	timers_changed();
	/* Exit work programs the host's timer, and the scheduler bounds its sleep. */
	publish(&current->proc->kp->attention, 1);
}

static void expired(struct timers *ts, struct timer *t, u64 now)
{
	timer_list_del(&ts->armed[t->base], t);
	if (t == &ts->cpu_limit) {
		cpu_limit_expired(ts, now);
	} else if (t->id >= 0) {
		posix_timer_expired(ts, t, now);
		if (t->queued && t->interval_ns)
			return;
	} else {
		signal_send(ts->proc->kp, t->signo, NULL);
	}
	if (t->interval_ns)
		timer_forward(t, now);
	else
		t->expiry_ns = 0;
	list_timer(ts, t);
}

static void run_base(struct timers *ts, u8 base, u64 now)
{
	struct timer *t;

	while ((t = TAILQ_FIRST(&ts->armed[base])) != NULL && t->expiry_ns <= now)
		expired(ts, t, now);
}

void timers_run(void)
{
	struct timers *ts;
	u64 now;

	if (timers_next() == HYP_NO_DEADLINE)
		return;
	now = time_mono_ns();
	if (now < timers_next())
		return;
	LIST_FOREACH(ts, &all, link) {
		run_base(ts, TIMER_MONO, now);
		if (ts->cpu_check_ns > now)
			continue;
		for (u8 base = TIMER_CPU; base < TIMER_BASES; base++) {
			if (!TAILQ_EMPTY(&ts->armed[base]))
				run_base(ts, base, timer_base_now(base));
		}
		plan_cpu_check(ts);
	}
	timers_changed();
}

static void release(struct timers *ts)
{
	LIST_REMOVE(ts, link);
	posix_timers_free(ts);
	kfree(ts);
}

/*
 * In a clone: whatever the parent's member had is a copy of no meaning. In a vfork child: nothing
 * to do.
 */
void timers_fork_child(struct proc *p)
{
	struct timers *ts, *next;

	for (ts = LIST_FIRST(&all); ts; ts = next) {
		next = LIST_NEXT(ts, link);
		if (ts->member == BOOT_INFO->member && ts->generation == BOOT_INFO->generation)
			continue;
		release(ts);
	}
	p->timers = NULL;
	timers_changed();
	if (p == current->proc && timers_cpu_limit())
		signal_send(p->kp, SIGKILL, NULL);
}

void timers_exec(struct proc *p)
{
	if (!p->timers)
		return;
	posix_timers_free(p->timers);
	timers_changed();
}

void timers_release(struct proc *p)
{
	if (!p->timers)
		return;
	release(p->timers);
	p->timers = NULL;
	timers_changed();
}
