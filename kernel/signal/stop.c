/* SPDX-License-Identifier: ISC */
/*
 * Stop and continue. A process stops itself when it takes a stop signal on its way out of the
 * kernel, and sleeps there until SIGCONT or SIGKILL is pending. Sending a stop signal discards a
 * pending SIGCONT and the other way round (signal_send), so a SIGCONT that is pending here came
 * after the stop. Whoever sends SIGCONT or SIGKILL with kill ends the stop at once, so that nobody
 * sees a stopped process after that: wait must not report it any more.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/signal.h>

#include "kernel/host/host.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal_delivery.h"
#include "kernel/signal/signal_hooks.h"
#include "kernel/signal/trace_stop.h"
#include "kernel/task/table.h"
#include "kernel/task/task_hooks.h"
#include "kernel/task/trace.h"

enum { CLD_STOPPED_ = 5, CLD_CONTINUED_ = 6 };

void proc_end_stop(struct kin_proc *p, int sig)
{
	if (p->state != PROC_STOPPED)
		return;
	p->state = PROC_RUNNING;
	proc_table->nstopped--;
	p->wait_flags = 0;
	trace_stop_ends(p);
	if (sig == SIGCONT) { /* of one that dies at once nobody is told that it continued */
		p->wait_flags = WAIT_CONTINUED;
		proc_notify_parent(p, CLD_CONTINUED_, SIGCONT);
	}
}

static void end_own_stop(int sig)
{
	tree_lock();
	proc_end_stop(current->proc->kp, sig);
	tree_unlock();
}

/* What continues a stopped process; 0: nothing yet. */
static int stop_ender(const struct kin_proc *kp)
{
	u64 pending = kp->signals.pending;

	if (thread_must_exit(current) || (pending & SIGBIT(SIGKILL)))
		return SIGKILL;
	return pending & SIGBIT(SIGCONT) ? SIGCONT : 0;
}

static bool stop_over(void *arg)
{
	struct kin_proc *kp = arg;

	return kp->state != PROC_STOPPED || stop_ender(kp) || trace_wanted(current);
}

void stop_wait(void)
{
	struct kin_proc *kp = current->proc->kp;

	while (kp->state == PROC_STOPPED) {
		int sig = stop_ender(kp);

		if (sig) {
			end_own_stop(sig);
			return;
		}
		if (trace_group_stop())
			return;
		wait_until(NULL, stop_over, kp, HYP_NO_DEADLINE, SLEEP_STOPPED);
	}
}

/* T */
static bool traced_by_parent(struct kin_proc *p)
{
	struct trace *tr = p->traced ? trace_find(p->pid) : NULL;

	return tr && p->parent && p->parent->pid == tr->tracer;
}

void proc_stop(int sig)
{
	struct kin_proc *kp = current->proc->kp;
	bool first = false;

	tree_lock();
	if (!(kp->signals.pending & (SIGBIT(SIGKILL) | SIGBIT(SIGCONT))) && kp->state == PROC_RUNNING) {
		kp->wait_status = (u32)sig << 8 | 0x7f;
		kp->wait_flags = WAIT_STOPPED;
		proc_table->nstopped++;
		kp->state = PROC_STOPPED;
		trace_stop_begins(kp);
		if (!traced_by_parent(kp)) /* which hears of the thread's own stop */
			proc_notify_parent(kp, CLD_STOPPED_, (u32)sig);
		first = kp->pid == 1;
	}
	tree_unlock();
	if (first) { /* the shell outside should know: its job has stopped */
		atomic_store(&KIN->stopped, (u32)sig);
		host_notify();
	}
	stop_wait();
}
