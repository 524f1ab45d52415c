/* SPDX-License-Identifier: ISC */
/*
 * The threads of one member on its one vCPU: a run queue, a list of blocked threads, and sleep when
 * nothing can run. Nothing here is shared with other members but the doorbell.
 *
 * Why no wake-up is lost. A waker first stores what it wakes for (a waiter's mark, a pending
 * signal, an inbox bit), then increments the sleeper's doorbell, then, after a full barrier, reads
 * the doorbell's state and wakes the host process if it is asleep. The sleeper reads the doorbell
 * (1), then looks at everything it may be woken for (2), then passes the value of (1) to the sleep
 * hypercall, whose monitor stores the state "asleep", makes a full barrier and compares the
 * doorbell again (3). If the increment comes before (1), the waker's store is seen at (2). If it
 * comes between (1) and (3), the comparison fails and the sleep returns at once. If it comes after
 * (3), the waker's read of the state sees "asleep" and wakes.
 *
 * There is no periodic tick. The host timer is armed only for the earliest timer of a process, and
 * while another thread waits for the vCPU or for a wake-up that only a look at the doorbell would
 * find.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/signal.h>

#include "kernel/host/host.h"
#include "kernel/kin/spin.h"
#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/sched_hooks.h"
#include "kernel/task/task_hooks.h"
#include "kernel/task/thread.h"
#include "kernel/task/trace.h"
#include "kernel/time/time.h"
#include "kernel/time/time_hooks.h"

#define SLICE_NS 4000000ull
#define IDLE_FDS 256
#define TIMER_SLACK_NS 50000 /* of the first thread; without effect */
#define SPARES 2
#define QUIET_EXITS 4 /* an interrupt with all that it entails costs about as much */
#define LOOKS 64 /* at the processor time of a member that falls asleep and wakes meanwhile */

TAILQ_HEAD(thread_queue, thread);

struct proc_list member_procs = LIST_HEAD_INITIALIZER(member_procs);

static struct {
	struct thread_queue runnable; /* not the current thread */
	struct thread_queue blocked;
	struct thread *dead;          /* freed by the thread that runs after it, with its process */
	struct proc *dead_proc;
	struct thread *spare[SPARES]; /* with stack and FPU area, for the next vfork */
	u64 slice_end_ns;             /* 0: no slice runs */
	u64 timer_ns;                 /* what the host timer is armed for */
	u32 irq_count;                /* cpu_interrupts when that was decided */
	u64 now_floor_ns;             /* the host said that this time has come */
	u64 quiet_until_ns;           /* no timer is served before, except in idle */
	u64 exit_ns;                  /* what a way out to the monitor and back costs, at best */
	u64 start_tsc, slept_tsc;
} sched = {
	.runnable = TAILQ_HEAD_INITIALIZER(sched.runnable),
	.blocked = TAILQ_HEAD_INITIALIZER(sched.blocked),
	.timer_ns = HYP_NO_DEADLINE,
};
static struct hyp_pollfd idle_fds[IDLE_FDS];
static struct hyp_events news; /* of the host's sockets */

static u64 now_ns(void)
{
	u64 now = time_mono_ns();

	return MAX(now, sched.now_floor_ns);
}

/* This member runs (again). Base before stop: member_ran_tsc. */
static void mirror_running(void)
{
	struct kin_member *self = member_self();

	atomic_store(&self->cpu_base_tsc, sched.start_tsc + sched.slept_tsc);
	atomic_store(&self->cpu_stop_tsc, 0);
}

void sched_init(void)
{
	sched.start_tsc = arch_cycles();
	mirror_running();
}

static u64 tsc_ns(u64 tsc)
{
	u64 khz = KIN->clock.tsc_khz ? KIN->clock.tsc_khz : 1000000;

	return tsc / khz * 1000000 + tsc % khz * 1000000 / khz;
}

u64 sched_cpu_ns(void)
{
	return tsc_ns(arch_cycles() - sched.start_tsc - sched.slept_tsc);
}

/*
 * Base and stop belong together if stop is the same before and after: no value of it but 0 comes
 * twice, and with 0 every base is one that counts up to now.
 */
static u64 member_ran_tsc(struct kin_member *m)
{
	u64 stop = atomic_load(&m->cpu_stop_tsc), base, again;

	for (u32 i = 0; i < LOOKS; i++, stop = again) {
		base = atomic_load(&m->cpu_base_tsc);
		again = atomic_load(&m->cpu_stop_tsc);
		if (again == stop)
			break;
	}
	u64 end = stop ? stop : arch_cycles();
	return base && end > base ? end - base : 0;
}

u64 proc_cpu_ns(const struct kin_proc *p)
{
	if (p->state == PROC_ZOMBIE || p->flags & (KP_EXITING | KP_VFORK) || p->member >= MEMBERS_MAX)
		return p->utime_ns + p->stime_ns;
	return tsc_ns(member_ran_tsc(&KIN->members[p->member]));
}

/* ---- threads */

struct thread *thread_create(struct proc *p)
{
	struct thread *t = NULL;
	void *kstack, *area;

	for (u32 i = 0; i < SPARES && !t; i++) {
		t = sched.spare[i];
		sched.spare[i] = NULL;
	}
	if (t) {
		kstack = t->kstack;
		area = t->area;
		memset(t, 0, sizeof(*t));
	} else {
		t = kmalloc_hot(sizeof(*t));
		kstack = kpages_alloc(KSTACK_SIZE / PAGE_SIZE);
		area = kmalloc_hot(arch_area_size());
	}
	if (!t || !kstack || !area) {
		if (t)
			kfree(t);
		if (area)
			kfree(area);
		if (kstack)
			kpages_free(kstack, KSTACK_SIZE / PAGE_SIZE);
		return NULL;
	}
	t->kstack = kstack;
	t->area = area;
	arch_thread_init(t, (char *)kstack + KSTACK_SIZE, area);
	t->proc = p;
	t->state = THREAD_RUNNABLE;
	t->deadline_ns = HYP_NO_DEADLINE;
	t->timer_slack_ns = current ? current->timer_slack_ns : 0;
	if (!t->timer_slack_ns)
		t->timer_slack_ns = TIMER_SLACK_NS;
	t->timer_slack_default_ns = t->timer_slack_ns;
	if (p)
		LIST_INSERT_HEAD(&p->threads, t, sibling);
	return t;
}

/* Only the memory: a thread that has ended is in no list any more. */
void thread_destroy(struct thread *t)
{
	signal_thread_release(t);
	thread_kin_release(t);
	if (t->start)
		kfree(t->start);
	t->start = NULL;
	for (u32 i = 0; i < SPARES; i++) {
		if (!sched.spare[i]) {
			sched.spare[i] = t;
			return;
		}
	}
	kpages_free(t->kstack, KSTACK_SIZE / PAGE_SIZE);
	kfree(t->area);
	kfree(t);
}

static void make_runnable(struct thread *t, int result)
{
	t->state = THREAD_RUNNABLE;
	t->sleep_result = result;
	TAILQ_INSERT_TAIL(&sched.runnable, t, run);
	cpu_ask_exit_work(); /* exit work: a slice begins */
}

/* Of a thread that is in no list: a new one. */
void thread_start(struct thread *t)
{
	make_runnable(t, 0);
}

void thread_wake(struct thread *t)
{
	if (t->state != THREAD_BLOCKED) {
		t->wake_pending = 1;
		return;
	}
	TAILQ_REMOVE(&sched.blocked, t, run);
	make_runnable(t, 0);
}

/* ---- what ends a sleep */

static bool interrupted(struct thread *t)
{
	struct kin_proc *kp = t->proc->kp;
	u64 pending = kp->signals.pending;

	if (t->sleep_mode != SLEEP_UNINTERRUPTIBLE && t->sleep_mode != SLEEP_LEAVING &&
		thread_must_exit(t))
		return true;
	switch (t->sleep_mode) {
	case SLEEP_UNINTERRUPTIBLE: return false;
	case SLEEP_INTERRUPTIBLE: return signal_pending(t);
	case SLEEP_LEAVING:
	case SLEEP_KILLABLE: return pending & SIGBIT(SIGKILL);
	case SLEEP_STOPPED:
		return pending & (SIGBIT(SIGKILL) | SIGBIT(SIGCONT)) || kp->state != PROC_STOPPED ||
			   trace_wanted(t);
	case SLEEP_ANY_SIGNAL: return pending != 0;
	}
	return true;
}

/*
 * Marks first, condition after: waiters_woken clears marks that the caller of thread_sleep_mode
 * then acts on.
 */
static bool sleep_over(struct thread *t, int *result)
{
	if (t->wake_pending || waiters_woken(t)) {
		t->wake_pending = 0;
		*result = 0;
	} else if (interrupted(t)) {
		cpu_ask_exit_work(); /* the way out must look at signals */
		*result = -EINTR;
	} else if (t->deadline_ns != HYP_NO_DEADLINE && now_ns() >= t->deadline_ns) {
		*result = -ETIMEDOUT;
	} else {
		return false;
	}
	return true;
}

static void poll_blocked(void)
{
	struct thread *t = TAILQ_FIRST(&sched.blocked);
	int result;

	while (t) {
		struct thread *next = TAILQ_NEXT(t, run);

		if (sleep_over(t, &result)) {
			TAILQ_REMOVE(&sched.blocked, t, run);
			make_runnable(t, result);
		}
		t = next;
	}
}

/* ---- sleeping */

/*
 * Gathers the host handles of all blocked threads. A single sleeper's own array is used in place.
 */
static u32 gather_fds(struct hyp_pollfd **fds)
{
	struct thread *t, *only = NULL;
	u32 n = 0, sleepers = 0;

	TAILQ_FOREACH(t, &sched.blocked, run) {
		if (t->sleep_nfds) {
			only = t;
			sleepers++;
		}
	}
	*fds = idle_fds;
	if (!sleepers)
		return 0;
	if (sleepers == 1) {
		*fds = only->sleep_fds;
		return only->sleep_nfds;
	}
	TAILQ_FOREACH(t, &sched.blocked, run) {
		if (n + t->sleep_nfds > IDLE_FDS)
			break;
		memcpy(idle_fds + n, t->sleep_fds, t->sleep_nfds * sizeof(*idle_fds));
		n += t->sleep_nfds;
	}
	return n;
}

/* Gives revents back, in gather_fds' order, and wakes whose handles are ready. */
static void scatter_fds(struct hyp_pollfd *fds, u32 n)
{
	struct thread *next, *t = TAILQ_FIRST(&sched.blocked);
	u32 at = 0;

	for (; t && at < n; t = next) {
		bool ready = false;

		next = TAILQ_NEXT(t, run);
		for (u32 i = 0; i < t->sleep_nfds; i++, at++) {
			t->sleep_fds[i].revents = fds[at].revents;
			ready |= fds[at].revents != 0;
		}
		if (ready) {
			TAILQ_REMOVE(&sched.blocked, t, run);
			make_runnable(t, 0);
		}
	}
	/* Threads whose handles did not fit take their turn at the front. */
	if (t && fds == idle_fds) {
		while ((next = TAILQ_FIRST(&sched.blocked)) != t) {
			TAILQ_REMOVE(&sched.blocked, next, run);
			TAILQ_INSERT_TAIL(&sched.blocked, next, run);
		}
	}
}

static u64 blocked_deadline(void)
{
	u64 deadline = HYP_NO_DEADLINE;
	struct thread *t;

	TAILQ_FOREACH(t, &sched.blocked, run)
		deadline = MIN(deadline, t->deadline_ns);
	return deadline;
}

/* Without blocking: is any ready? */
static bool look_at_fds(struct hyp_pollfd *fds, u32 nfds)
{
	return nfds && host_sleep(0, HYP_LOOK, fds, nfds, HYP_NO_MEMBER, NULL) > 0;
}

static struct hyp_events *news_wanted(void)
{
	news.count = 0;
	return sockets_watched() ? &news : NULL;
}

void sched_news(void)
{
	if (!news_wanted())
		return;
	host_sleep(0, HYP_LOOK, NULL, 0, HYP_NO_MEMBER, &news);
	if (news.count)
		sockets_news(&news);
}

/*
 * A thread computes: at the end of a slice see to those that sleep. Handles are looked at without
 * blocking.
 */
void sched_poll(void)
{
	struct hyp_pollfd *fds;
	u32 nfds;

	poll_blocked();
	if (!sched.slice_end_ns || now_ns() < sched.slice_end_ns)
		return;
	sched_news();
	nfds = gather_fds(&fds);
	if (look_at_fds(fds, nfds))
		scatter_fds(fds, nfds);
}

/* seen: the doorbell as it was before the caller looked for work. */
static void idle(u32 seen)
{
	struct hyp_pollfd *fds;
	u32 nfds = gather_fds(&fds);
	u64 deadline = MIN(blocked_deadline(), timers_next_asleep());
	struct hyp_events *events = news_wanted();
	u64 begin;
	s64 r;

	if (!nfds && !events && spin_for_doorbell(seen))
		return;
	/* Some handles did not fit: look at the others before long. */
	if (fds == idle_fds && nfds + 64 > IDLE_FDS)
		deadline = MIN(deadline, now_ns() + SLICE_NS);
	begin = arch_cycles();
	publish(&member_self()->cpu_stop_tsc, begin);
	r = host_sleep(seen, deadline, fds, nfds, HYP_NO_MEMBER, events);
	sched.slept_tsc += arch_cycles() - begin;
	mirror_running();
	if (r == -ETIMEDOUT && deadline != HYP_NO_DEADLINE)
		sched.now_floor_ns = MAX(sched.now_floor_ns, deadline);
	if (r > 0)
		scatter_fds(fds, nfds);
	if (news.count)
		sockets_news(&news);
}

static void member_work(void)
{
	u64 next;

	if (inbox_waiting())
		inbox_run();
	next = timers_next();
	if (next != HYP_NO_DEADLINE && next <= now_ns())
		timers_run();
}

/* The next thread to run, taken out of its queue; sleeps until there is one. */
static struct thread *pick_next(void)
{
	struct kin_member *self = member_self();
	struct thread *t;

	for (;;) {
		u32 seen = atomic_load(&self->doorbell);

		member_work();
		poll_blocked();
		t = TAILQ_FIRST(&sched.runnable);
		if (t) {
			TAILQ_REMOVE(&sched.runnable, t, run);
			return t;
		}
		idle(seen);
	}
}

/* First thing in a thread that was switched to. */
static void switched(void)
{
	if (sched.dead)
		thread_destroy(sched.dead);
	if (sched.dead_proc)
		proc_destroy(sched.dead_proc);
	sched.dead = NULL;
	sched.dead_proc = NULL;
	/*
	 * The thread before may have cleared attention without being the one that could take the
	 * signal.
	 */
	atomic_store(cpu_attention(), 1);
}

void sched_first_thread(void)
{
	switched();
}

static void switch_to(struct thread *next)
{
	if (next == current)
		return;
	sched.slice_end_ns = 0;
	cpu_follow_attention(&next->proc->kp->attention);
	context_switch(next);
	switched();
}

/* Where threads begin. */
static void thread_begin(void *arg)
{
	struct thread *t = current;
	struct trapframe frame = *t->start;

	switched();
	kfree(t->start);
	t->start = NULL;
	if (t->set_child_tid)
		copy_out((void *)t->set_child_tid, &t->tid, sizeof(t->tid));
	arch_return_to_user(&frame);
}

/* t's first switch-in goes to the application with these registers. 0 or -ENOMEM. */
int thread_start_user(struct thread *t, const struct trapframe *frame)
{
	t->start = kmalloc(sizeof(*frame));
	if (!t->start)
		return -ENOMEM;
	*t->start = *frame;
	arch_thread_init_kernel(t, thread_begin, NULL);
	thread_start(t);
	return 0;
}

int thread_sleep_mode(u64 deadline_ns, enum sleep_mode mode, struct hyp_pollfd *fds, u32 nfds)
{
	struct thread *t = current;
	int result;

	t->deadline_ns = deadline_ns;
	t->sleep_mode = mode;
	t->sleep_fds = fds;
	t->sleep_nfds = nfds;
	for (u32 i = 0; i < nfds; i++)
		fds[i].revents = 0;
	if (sleep_over(t, &result)) {
		/* A deadline in the past still looks at the handles once. */
		return result == -ETIMEDOUT && look_at_fds(fds, nfds) ? 0 : result;
	}
	t->state = THREAD_BLOCKED;
	TAILQ_INSERT_TAIL(&sched.blocked, t, run);
	switch_to(pick_next());
	t->deadline_ns = HYP_NO_DEADLINE;
	t->sleep_nfds = 0;
	return t->sleep_result;
}

/* ---- giving up the vCPU */

void schedule(void)
{
	struct thread *next = TAILQ_FIRST(&sched.runnable);

	if (!next)
		return;
	TAILQ_REMOVE(&sched.runnable, next, run);
	TAILQ_INSERT_TAIL(&sched.runnable, current, run);
	switch_to(next);
}

_Noreturn void sched_leave(struct proc *dead)
{
	struct thread *t = current;

	t->state = THREAD_DEAD;
	sched.dead = t;
	sched.dead_proc = dead;
	switch_to(pick_next());
	kpanic("a thread that ended was switched to");
}

bool sched_others(void)
{
	return !TAILQ_EMPTY(&sched.runnable) || !TAILQ_EMPTY(&sched.blocked);
}

bool sched_runnable(void)
{
	return !TAILQ_EMPTY(&sched.runnable);
}

bool sched_wanted(void)
{
	return !TAILQ_EMPTY(&sched.runnable) && sched.slice_end_ns && now_ns() >= sched.slice_end_ns;
}

/*
 * Is there a sleeper whom a ring of the doorbell may wake while another thread computes? Whoever
 * waits for a word of private memory is woken by a thread of this member, or by what interrupts it
 * (signals, tracers).
 */
static bool wakers_possible(void)
{
	struct thread *t;

	TAILQ_FOREACH(t, &sched.blocked, run)
		if (!t->vfork_child && !t->woken_here)
			return true;
	return false;
}

/*
 * The host's timer interrupts at that time. How long this takes is what is known of the price of
 * an exit; the least of late counts, because often another process of the host was in between.
 */
static void timer_arm_host(u64 want_ns)
{
	u64 begin = arch_cycles(), took;

	host_timer(want_ns);
	sched.timer_ns = want_ns;
	took = tsc_ns(arch_cycles() - begin);
	sched.exit_ns = sched.exit_ns ? MIN(took, sched.exit_ns + sched.exit_ns / 8 + 1) : took;
}

/*
 * Interval timers can be shorter than what it costs to serve them; on a KVM without hardware
 * support that is 0.1 ms. The application has to get on nevertheless: after one was served it gets
 * about as much time as that took. What expires meanwhile is served then (signals merge, POSIX
 * timers count overruns).
 */
bool sched_timers_due(void)
{
	u64 next = timers_next();

	return next != HYP_NO_DEADLINE && MAX(next, sched.quiet_until_ns) <= time_mono_ns();
}

/*
 * A deadline that moved further away is left armed: one interrupt too many costs as much as turning
 * it off, and is seldom needed. Any interrupt may have been the timer's, whichever code it met, and
 * none is lost: only after one is the timer armed again. The host's clock may be ahead of the
 * calibrated TSC; then what fired is not due yet here and is armed again.
 */
void sched_timer(bool expired)
{
	u32 irq_count = cpu_interrupts();
	u64 want = timers_next();

	if (sched_others()) {
		want = MIN(want, blocked_deadline());
		if (!TAILQ_EMPTY(&sched.runnable) || wakers_possible()) {
			if (!sched.slice_end_ns || now_ns() >= sched.slice_end_ns)
				sched.slice_end_ns = now_ns() + SLICE_NS;
			want = MIN(want, sched.slice_end_ns);
		}
	}
	if (irq_count != sched.irq_count)
		sched.timer_ns = HYP_NO_DEADLINE;
	sched.irq_count = irq_count;
	if (expired)
		sched.quiet_until_ns = now_ns() + QUIET_EXITS * sched.exit_ns;
	want = MAX(want, sched.quiet_until_ns);
	if (want < sched.timer_ns)
		timer_arm_host(want);
}

/*
 * The clone of a VM runs only the thread that forked; the others stay with the parent. Host timers
 * are not inherited.
 */
void sched_fork_child(void)
{
	struct thread_queue *queues[] = {&sched.runnable, &sched.blocked};
	struct thread *t;

	current->timer_slack_default_ns = current->timer_slack_ns;
	waiters_fork_child(current);
	for (u32 i = 0; i < ARRAY_SIZE(queues); i++) {
		while ((t = TAILQ_FIRST(queues[i]))) {
			TAILQ_REMOVE(queues[i], t, run);
			waiters_fork_child(t);
			thread_destroy(t);
		}
	}
	sched.slice_end_ns = 0;
	sched.timer_ns = HYP_NO_DEADLINE;
	sched.quiet_until_ns = 0;
	sched.start_tsc = arch_cycles();
	sched.slept_tsc = 0;
	mirror_running();
}
