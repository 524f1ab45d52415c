/* SPDX-License-Identifier: ISC */
/*
 * The end of threads, processes and members. What a process holds is released in the order of one
 * table; the last row makes it a zombie. Only then the member says EXITING and leaves: the host's
 * teardown of the VM is nobody's wait.
 *
 * A member killed at any instruction of this leaves what burial can finish: KP_EXITING
 * with the status is stored first, each row is written so that doing it again does no harm, and the
 * process names its member until it is a whole zombie.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/ptrace.h>

#include "kernel/event/signalfd.h"
#include "kernel/futex/futex.h"
#include "kernel/host/host.h"
#include "kernel/ipc/ipc.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/net/host_share.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/sched/remote.h"
#include "kernel/signal/seccomp.h"
#include "kernel/signal/trace_stop.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/table.h"
#include "kernel/task/task_hooks.h"
#include "kernel/task/trace.h"
#include "kernel/time/time.h"
#include "kernel/tty/job.h"
#include "kernel/vfs/vfs.h"

/*
 * A process that used less CPU time than this is accounted by the TSC alone: asking the host would
 * cost more than it tells.
 */
#define USAGE_WORTH_NS 5000000ull

enum { CLD_EXITED_ = 1, CLD_KILLED_ = 2, CLD_DUMPED_ = 3 };

/* ---- what is released, in order */

static void announce(struct proc *p)
{
	struct hyp_usage u = {0};
	u64 cpu_ns = sched_cpu_ns();

	p->kp->wait_status = p->exit_status;
	atomic_fetch_or(&p->kp->flags, KP_EXITING);
	if (p->kp->flags & KP_VFORK)
		return; /* its time is its parent's */
	if (cpu_ns < USAGE_WORTH_NS || host_usage(&u)) {
		p->kp->utime_ns = cpu_ns;
		return;
	}
	p->kp->utime_ns = u.utime_ns;
	p->kp->stime_ns = u.stime_ns;
	p->kp->maxrss_kib = u.maxrss_kib;
}

static void end_locks(struct proc *p)
{
	locks_release_process(p->kp->pid);
	dnotify_release_process(p->kp->pid);
}

static void end_counts(struct proc *p)
{
	stats_flush();
}

static void end_semaphores(struct proc *p)
{
	sem_undo_exit(p->kp);
}

static void end_descriptors(struct proc *p)
{
	fdtable_drop(&p->kp->fds);
	sockets_sweep();
	proc_exe_set(p->kp, NULL);
}

static void end_directory(struct proc *p)
{
	directories_drop(p->kp);
	seccomp_drop(p->kp);
}

static void end_memory(struct proc *p)
{
	if (p->mm)
		mm_release(p->mm);
}

static void end_signals(struct proc *p)
{
	signals_release(p->kp);
}

static void end_tree(struct proc *p)
{
	tree_lock();
	trace_tracer_gone(p->kp);
	proc_leave_session(p->kp);
	proc_orphan_children(p->kp);
	proc_become_zombie(p->kp, p->exit_status);
	tree_unlock();
}

static const struct {
	const char *name;
	void (*release)(struct proc *p);
} releases[] = {
	{"announcement: status and usage", announce},
	{"suspended parent of a vfork", vfork_release_parent},
	{"timers", timers_release},
	{"file locks, directory notifications", end_locks},
	{"semaphores to undo", end_semaphores},
	{"descriptors", end_descriptors},
	{"current directory", end_directory},
	{"memory: shared objects and mapped files", end_memory},
	{"pending signals", end_signals},
	{"counts: a parent that is told may end, and the family with it", end_counts},
	{"family tree: session, children, zombie", end_tree},
};

/* ---- the tree's part, also for burial. All under tree_lock. */

void proc_notify_parent(struct kin_proc *p, u32 code, u32 status)
{
	struct kin_proc *parent = p->parent;
	struct ksiginfo info = {.signo = SIGCHLD, .code = (s32)code};

	if (!parent)
		return;
	info.chld.pid = p->pid;
	info.chld.uid = p->inherited.uid;
	info.chld.status = (s32)status;
	info.chld.utime = p->utime_ns / 10000000; /* clock ticks of 1/100 s */
	info.chld.stime = p->stime_ns / 10000000;
	if (code > CLD_DUMPED_) {
		if (!(parent->flags & KP_NOCLDSTOP))
			tree_signal(parent, SIGCHLD, &info);
	} else if (p->exit_signal) {
		info.signo = (s32)p->exit_signal;
		tree_signal(parent, (int)p->exit_signal, &info);
	}
	tree_wake(parent);
}

static void notify_death(struct kin_proc *p)
{
	u32 sig = p->wait_status & 0x7f;

	if (!sig)
		proc_notify_parent(p, CLD_EXITED_, (p->wait_status >> 8) & 0xff);
	else
		proc_notify_parent(p, p->wait_status & WAIT_CORE ? CLD_DUMPED_ : CLD_KILLED_, sig);
}

static void reap_unwanted(struct kin_proc *p)
{
	if (p->flags & KP_OUTSIDE ||
		(p->parent && (p->parent->flags & KP_NOCLDWAIT) && p->exit_signal == SIGCHLD))
		proc_reap(p);
}

void proc_become_zombie(struct kin_proc *p, u32 wait_status)
{
	if (p->state != PROC_ZOMBIE)
		event_note(EVENT_EXIT, p, wait_status);
	p->wait_status = wait_status;
	p->wait_flags = 0;
	proc_table->nstopped -= p->state == PROC_STOPPED;
	p->state = PROC_ZOMBIE;
	tree_wake_pidfd(p);
	/* The parent is told when a tracer has heard of it who is somebody else. */
	trace_threads_gone(p, wait_status);
	bool hidden = trace_hides(p);
	if (!hidden)
		notify_death(p);
	/* From here on nothing is left to bury. */
	p->member = NO_MEMBER;
	if (!p->traced || (!hidden && p->flags & KP_OUTSIDE))
		reap_unwanted(p);
}

void proc_zombie_told(struct kin_proc *p)
{
	notify_death(p);
	reap_unwanted(p);
}

/*
 * Who takes the children of p: its nearest ancestor that asked for them, else PID 1. NULL: nobody
 * is left.
 */
static struct kin_proc *new_parent(struct kin_proc *p)
{
	struct kin_proc *a;

	for (a = p->parent; a; a = a->parent)
		if ((a->flags & KP_SUBREAPER) && a->state != PROC_ZOMBIE && !(a->flags & KP_EXITING))
			return a;
	a = proc_find(1);
	return a && a != p && a->state != PROC_ZOMBIE ? a : NULL;
}

/* As if p had sent it with kill(2), but nobody asks for permission. */
static void signal_parent_death(struct kin_proc *child, const struct kin_proc *p)
{
	struct ksiginfo info = {.signo = child->pdeathsig, .code = SI_USER};

	info.rt.pid = p->pid;
	info.rt.uid = p->inherited.uid;
	tree_signal(child, child->pdeathsig, &info);
}

void proc_orphan_children(struct kin_proc *p)
{
	struct kin_proc *child, *parent = new_parent(p);

	while (parent && (child = TAILQ_FIRST(&p->children))) {
		s32 pgid = child->pgid, sid = child->sid;

		child->parent = parent; /* the publishing store */
		child->ppid = parent->pid;
		TAILQ_REMOVE(&p->children, child, sibling);
		TAILQ_INSERT_TAIL(&parent->children, child, sibling);
		if (child->pdeathsig && child->state != PROC_ZOMBIE)
			signal_parent_death(child, p);
		child->exit_signal = SIGCHLD;
		if (pgid != p->pgid && sid == p->sid)
			group_check_orphaned(pgid, sid, NULL);
		if (child->state == PROC_ZOMBIE && !trace_hides(child)) {
			notify_death(child);
			if (parent->flags & KP_NOCLDWAIT)
				proc_reap(child);
		} else if (child->wait_flags) {
			tree_wake(parent);
		}
	}
}

void proc_leave_session(struct kin_proc *p)
{
	struct console *c = p->pid == p->sid && p->pid != 1 ? console_of_session(p->sid) : NULL;
	s32 foreground = p->lost_foreground;

	if (c) {
		foreground = c->foreground_pgid;
		c->session = 0;
		c->foreground_pgid = 0;
	}
	if (foreground)
		group_signal(foreground, SIGHUP, NULL);
	/* While a pseudo-terminal is there, the end of its session continues nobody. */
	if (foreground && (!c || c == console_get()))
		group_signal(foreground, SIGCONT, NULL);
	/* The group of p may have been kept from being orphaned by p's parent, through p alone. */
	if (p->parent && p->parent->pgid != p->pgid && p->parent->sid == p->sid)
		group_check_orphaned(p->pgid, p->sid, p);
}

/* ---- the end */

void family_end(u32 wait_status)
{
	KIN->ended_status = wait_status;
	atomic_store(&KIN->ended, 1);
	host_notify();
}

/* The last process of the member is a zombie. */
static _Noreturn void member_exit(u32 wait_status, bool first)
{
	struct kin_member *self = member_self();

	waiters_bury((u32)(self - KIN->members), self->generation);
	stats_flush(); /* what has been counted since */
	self->exit_tsc = arch_cycles();
	if (first)
		family_end(wait_status);
	atomic_store(&self->state, MEMBER_EXITING);
	remote_bury((u32)(self - KIN->members), self->generation);
	host_exit((int)(wait_status & 0x7f ? 128 + (wait_status & 0x7f) : (wait_status >> 8) & 0xff));
}

/*
 * Its kin_proc may be somebody else's as soon as the tree's row is done: it is not looked at after.
 */
static _Noreturn void process_exit(struct proc *p)
{
	u32 status = p->exit_status;
	bool first = p->kp->pid == 1;

	for (u32 i = 0; i < ARRAY_SIZE(releases); i++)
		releases[i].release(p);
	if (!member_lost(p))
		member_exit(status, first);
	if (first)
		family_end(status);
	sched_leave(p);
}

_Noreturn void thread_exit(void)
{
	struct thread *t = current;
	struct proc *p = t->proc;

	if (p->kp->traced)
		trace_event(PTRACE_EVENT_EXIT, p->group_exit ? p->exit_status : t->exit_status);
	futex_thread_exit(t, p->kp->nthreads > 1 || proc_shares_vm(p));
	LIST_REMOVE(t, sibling);
	trace_thread_gone(t);
	if (t->tid != p->kp->pid)
		tid_free(t->tid);
	if (atomic_fetch_sub(&p->kp->nthreads, 1) > 1) {
		if (p->exec_thread && p->kp->nthreads == 1)
			thread_wake(p->exec_thread);
		sched_leave(NULL);
	}
	process_exit(p);
}

_Noreturn void proc_exit(u32 wait_status)
{
	struct proc *p = current->proc;

	/*
	 * The other threads leave through exit work: group_exit also ends the sleeps that a signal
	 * could end.
	 */
	if (!p->group_exit) {
		p->group_exit = 1;
		p->exit_status = wait_status;
	}
	thread_exit();
}

s64 sys_exit(u64 code)
{
	struct proc *p = current->proc;
	u32 status = (u32)(code & 0xff) << 8;

	if (p->kp->nthreads == 1 && !p->group_exit && current->tid == p->kp->pid)
		proc_exit(status);
	current->exit_status = status;
	/* The status of a process without exit_group is that of its first thread. */
	if (current->tid == p->kp->pid && !p->group_exit)
		p->exit_status = status;
	thread_exit();
}

s64 sys_exit_group(u64 code)
{
	proc_exit((u32)(code & 0xff) << 8);
}
