/* SPDX-License-Identifier: ISC */
/*
 * What exec means for a process beside its memory (kernel/exec/exec.c calls these past the point of
 * no return): one thread, handlers to default, descriptors marked close-on-exec closed, names.
 */
#include <stdatomic.h>

#include <asm/errno.h>

#include "kernel/fd/file.h"
#include "kernel/futex/futex.h"
#include "kernel/lib/lib.h"
#include "kernel/proc/proc_hooks.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/signal/trace_stop.h"
#include "kernel/time/time.h"

static bool alone(void *arg)
{
	struct kin_proc *kp = arg;

	return kp->nthreads <= 1;
}

/* The caller becomes the only thread and takes over the number of the first one. */
void proc_exec_begin(void)
{
	struct thread *t = current;
	struct proc *p = t->proc;

	p->exec_thread = t;
	wait_until(NULL, alone, p->kp, HYP_NO_DEADLINE, SLEEP_UNINTERRUPTIBLE);
	p->exec_thread = NULL;
	if (t->tid != p->kp->pid) {
		s32 tid = t->tid;

		t->tid = p->kp->pid;
		trace_renumber(tid, t->tid);
		tid_free(tid);
	}
	futex_thread_exit(t, proc_shares_vm(p));
	t->robust_list = 0;
	t->clear_child_tid = 0;
	t->restart_fn = 0;
}

void proc_exec_commit(const char *comm)
{
	struct proc *p = current->proc;
	struct kin_proc *kp = p->kp;

	fdtable_unshare(&kp->fds); /* or, without memory, they stay shared */
	fdtable_close_on_exec(kp->fds);
	signal_exec(current);
	timers_exec(p);
	proc_set_comm(current, comm);
	atomic_fetch_or(&kp->flags, KP_EXECED);
	atomic_fetch_and(&kp->flags, ~(u32)KP_VFORK);
	atomic_fetch_add(&KIN->stats.execs, 1);
	if (KIN->verbose)
		klog("pid %d (child of %d) runs %s", kp->pid, kp->ppid, comm);
	if (atomic_load_explicit(&KIN->events.wanted, memory_order_relaxed)) {
		tree_lock();
		event_note(EVENT_EXEC, kp, 0);
		tree_unlock();
	}
	trace_exec();
	spawn_drop(kp);
}
