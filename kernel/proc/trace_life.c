/* SPDX-License-Identifier: ISC */
/*
 * Tracing through the life of processes: whose children are traced with them, what becomes of the
 * number at exec, and who hears of an end. A process that somebody else than its parent traces is
 * told to that one first; when he has waited for it, or is gone himself, the parent is told.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/signal.h>
#include <linux/ptrace.h>
#include <linux/sched.h>

#include "kernel/proc/proc_internal.h"
#include "kernel/signal/trace_stop.h"
#include "kernel/task/trace.h"

enum { CLD_EXITED_ = 1, CLD_KILLED_ = 2, CLD_DUMPED_ = 3 };

/* ---- birth */

static u32 event_of(const struct clone_request *r)
{
	if (r->flags & CLONE_UNTRACED)
		return 0;
	if (r->flags & CLONE_VFORK)
		return PTRACE_EVENT_VFORK;
	return r->exit_signal == SIGCHLD && !(r->flags & CLONE_THREAD) ? PTRACE_EVENT_FORK
																   : PTRACE_EVENT_CLONE;
}

/* Is what the current thread makes traced as well? */
static bool follows(const struct trace *tr, const struct clone_request *r)
{
	u32 event = event_of(r);

	return r->flags & CLONE_PTRACE || (event && tr->options & 1u << event);
}

/* 0, -ENOMEM. Nobody knows tid yet. */
static int inherit(const struct clone_request *r, struct kin_proc *p, s32 tid)
{
	struct trace *tr = trace_of(current), *child;
	int err = 0;

	if (!tr || !follows(tr, r))
		return 0;
	if (trace_reserve())
		return -ENOMEM;
	tree_lock();
	if (tr->tid == current->tid && tr->tracer) {
		child = trace_add(p, tid, tr->tracer, tr->seized, tr->options);
		if (child)
			child->asked = child->seized ? TRACE_ASK_TRAP : TRACE_ASK_SIGSTOP;
		else
			err = -ENOMEM;
	}
	tree_unlock();
	return err;
}

int trace_born(struct fork *f)
{
	return current->proc->kp->traced ? inherit(f->request, f->kp, f->kp->pid) : 0;
}

void trace_unborn(struct fork *f)
{
	tree_lock();
	trace_forget(f->kp);
	tree_unlock();
}

void trace_born_thread(const struct clone_request *r, s32 tid)
{
	if (current->proc->kp->traced)
		inherit(r, current->proc->kp, tid);
}

void trace_born_told(const struct clone_request *r, s32 id)
{
	u32 event = event_of(r);

	if (event && current->proc->kp->traced)
		trace_event(event, (u64)id);
}

void trace_vfork_done(const struct clone_request *r, s32 id)
{
	if (r->flags & CLONE_VFORK && current->proc->kp->traced)
		trace_event(PTRACE_EVENT_VFORK_DONE, (u64)id);
}

/* ---- exec */

void trace_renumber(s32 tid, s32 pid)
{
	tree_lock();
	struct trace *first = trace_find(pid), *tr = trace_find(tid);
	if (first)
		trace_drop(first); /* of the first thread, which left: nobody hears of it */
	if (tr) {
		tr->former = tid;
		atomic_store(&tr->tid, pid);
	}
	tree_unlock();
}

/* ---- end */

static void tell_end(struct trace *tr, u32 status)
{
	u32 sig = status & 0x7f;

	if (!sig)
		trace_tell(tr, CLD_EXITED_, status >> 8 & 0xff);
	else
		trace_tell(tr, status & WAIT_CORE ? CLD_DUMPED_ : CLD_KILLED_, sig);
}

static void end_thread(struct trace *tr, u32 status)
{
	tr->report = status;
	atomic_store(&tr->state, TRACE_ENDED);
	tell_end(tr, status);
}

void trace_thread_gone(struct thread *t)
{
	struct proc *p = t->proc;
	struct trace *tr;

	if (!p->kp->traced)
		return;
	tree_lock();
	tr = trace_find(t->tid);
	if (tr && t->tid != p->kp->pid) /* the first: its process, when all have left */
		end_thread(tr, p->group_exit ? p->exit_status : t->exit_status);
	tree_unlock();
}

struct end {
	struct kin_proc *p;
	u32 status;
};

static int thread_ends(struct trace *tr, void *arg)
{
	struct end *e = arg;

	if (tr->pid != e->p->pid)
		return 0;
	if (tr->tid == e->p->pid) {
		tr->report = 0;
		atomic_store(&tr->state, TRACE_RUNS);
		tell_end(tr, e->status);
	} else if (tr->state != TRACE_ENDED) {
		end_thread(tr, e->status);
	}
	return 0;
}

void trace_threads_gone(struct kin_proc *p, u32 status)
{
	struct end e = {p, status};

	if (p->traced)
		trace_foreach(thread_ends, &e);
}

void trace_heard(struct trace *tr)
{
	struct kin_proc *p = proc_find(tr->pid);
	bool hidden = p && p->state == PROC_ZOMBIE && tr->tid == p->pid && trace_hides(p) == tr;

	trace_drop(tr);
	if (hidden)
		proc_zombie_told(p);
}

static int let_go(struct trace *tr, void *arg)
{
	struct kin_proc *tracer = arg, *p;

	if (tr->tracer != tracer->pid)
		return 0;
	p = proc_find(tr->pid);
	if (p && tr->options & PTRACE_O_EXITKILL && p->state != PROC_ZOMBIE) {
		struct ksiginfo info = {.signo = SIGKILL, .code = 0x80 /* SI_KERNEL */};

		tree_signal(p, SIGKILL, &info);
	}
	trace_heard(tr);
	return 0;
}

void trace_tracer_gone(struct kin_proc *p)
{
	trace_foreach(let_go, p);
}
