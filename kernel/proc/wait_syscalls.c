/* SPDX-License-Identifier: ISC */
/*
 * wait4 and waitid. A parent looks at its children under tree_lock and sleeps on its own
 * wait_queue, which a child wakes after it has changed its state under the same lock: the waiter is
 * queued before the look, so no change is missed. Waiting for a child that is dead already makes no
 * hypercall. Source: wait(2), wait4(2).
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/resource.h>
#include <linux/wait.h>

#include "kernel/event/signalfd.h"
#include "kernel/lib/lib.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/proc/rusage.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/table.h"
#include "kernel/task/trace.h"

#define WAIT_COMMON (WNOHANG | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE)

/* What is asked, and what was found. */
struct wait {
	u32 type; /* P_ALL, P_PID, P_PGID */
	s32 id;
	u32 options;
	s64 result; /* of the last look */
	s32 pid;
	u32 uid;
	u32 status; /* as wait4 gives it */
	bool trapped; /* a stop that a tracer hears of */
	struct rusage usage;
};

/* T */
static bool eligible(const struct wait *w, const struct kin_proc *p)
{
	if (w->type == P_PID && p->pid != w->id)
		return false;
	if (w->type == P_PGID && p->pgid != w->id)
		return false;
	if (w->options & __WALL)
		return true;
	return (p->exit_signal != SIGCHLD) == !!(w->options & __WCLONE);
}

/* T */
static void report(struct wait *w, const struct kin_proc *p, u32 status)
{
	w->pid = p->pid;
	w->uid = p->inherited.uid;
	w->status = status;
	rusage_of_child(&w->usage, p);
}

void proc_reap(struct kin_proc *p)
{
	struct kin_proc *parent = p->parent;

	if (parent) {
		parent->cutime_ns += p->utime_ns + p->cutime_ns;
		parent->cstime_ns += p->stime_ns + p->cstime_ns;
		parent->cmaxrss_kib = MAX(parent->cmaxrss_kib, MAX(p->maxrss_kib, p->cmaxrss_kib));
	}
	proc_info_drop(p);
	kin_proc_free(p);
}

/* T: has p anything to say? Then it is taken, unless WNOWAIT. */
static bool take(struct wait *w, struct kin_proc *p)
{
	bool keep = w->options & WNOWAIT;

	if (p->state == PROC_ZOMBIE) {
		if (!(w->options & WEXITED))
			return false;
		report(w, p, p->wait_status);
		if (!keep)
			proc_reap(p);
		return true;
	}
	if (p->state == PROC_STOPPED && (w->options & WSTOPPED) && (p->wait_flags & WAIT_STOPPED)) {
		report(w, p, p->wait_status);
		if (!keep)
			p->wait_flags &= ~(u32)WAIT_STOPPED;
		return true;
	}
	if ((w->options & WCONTINUED) && (p->wait_flags & WAIT_CONTINUED)) {
		report(w, p, 0xffff);
		if (!keep)
			p->wait_flags &= ~(u32)WAIT_CONTINUED;
		return true;
	}
	return false;
}

/*
 * T: what a thread that the current process traces has to say: whatever is asked, as on Linux. Of a
 * process that has ended the parent is told next, unless that is the tracer.
 */
static int take_traced(struct trace *tr, void *arg)
{
	struct kin_proc *me = current->proc->kp, *p = proc_find(tr->pid);
	struct wait *w = arg;

	if (tr->tracer != me->pid || !p || (w->type == P_PID && tr->tid != w->id) ||
		(w->type == P_PGID && p->pgid != w->id))
		return 0;
	w->result = MAX(w->result, 0);
	bool zombie = p->state == PROC_ZOMBIE && tr->tid == p->pid;
	if ((zombie || tr->state == TRACE_ENDED) ? !(w->options & WEXITED) : !tr->report)
		return 0;
	report(w, p, zombie ? p->wait_status : tr->report);
	w->trapped = true;
	w->pid = tr->tid;
	w->result = 1;
	if (w->options & WNOWAIT)
		return 1;
	bool ended = tr->state == TRACE_ENDED;
	tr->report = 0;
	tr->signal = 0; /* as on Linux: it gets it no more if the tracer ends now */
	if (zombie && p->parent == me)
		proc_reap(p); /* and with it the slot */
	else if (zombie || ended)
		trace_heard(tr);
	return 1;
}

/* T: by the table of the traced; of who hides from its parent that one hears of stops alone. */
static bool left_to_tracer(const struct kin_proc *p)
{
	struct trace *tr = p->traced ? trace_find(p->pid) : NULL;

	return tr && (p->state == PROC_ZOMBIE || tr->tracer == current->proc->kp->pid);
}

/* 1 found, 0 nothing yet, -ECHILD */
static s64 look(struct wait *w)
{
	struct kin_proc *p;

	w->result = -ECHILD;
	tree_lock();
	TAILQ_FOREACH(p, &current->proc->kp->children, sibling) {
		if (!eligible(w, p))
			continue;
		w->result = !left_to_tracer(p) && take(w, p);
		if (w->result)
			break;
	}
	if (w->result <= 0)
		trace_foreach(take_traced, w);
	tree_unlock();
	return w->result;
}

static bool found(void *arg)
{
	return look(arg) != 0;
}

static s64 do_wait(struct wait *w)
{
	struct kin_queue *q = &current->proc->kp->wait_queue;
	int err;

	if (found(w) || (w->options & WNOHANG))
		return w->result;
	err = wait_until(q, found, w, HYP_NO_DEADLINE, WAIT_RESTARTABLE);
	return err ? err : w->result;
}

s64 sys_wait4(u64 upid, u64 ustatus, u64 options, u64 uusage)
{
	struct wait w = {.options = (u32)options | WEXITED};
	s32 pid = (s32)upid;
	s64 r;

	if ((u32)options & ~(u32)(WAIT_COMMON | WUNTRACED))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	w.type = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
	w.id = pid > 0 ? pid : pid == 0 ? current->proc->kp->pgid : -pid;
	r = do_wait(&w);
	if (r <= 0)
		return r;
	if (ustatus && copy_out((void *)ustatus, &w.status, sizeof(w.status)))
		return -EFAULT;
	if (uusage && copy_out((void *)uusage, &w.usage, sizeof(w.usage)))
		return -EFAULT;
	return w.pid;
}

/* A wait status as siginfo says it: CLD_* and value. */
static void siginfo_of(const struct wait *w, s32 *code, s32 *value)
{
	u32 s = w->status;

	if (s == 0xffff) {
		*code = 6; /* CLD_CONTINUED */
		*value = SIGCONT;
	} else if ((s & 0xff) == 0x7f) {
		*code = w->trapped ? 4 : 5; /* CLD_TRAPPED, CLD_STOPPED */
		*value = (s32)(s >> 8);
	} else if ((s & 0x7f) == 0) {
		*code = 1; /* CLD_EXITED */
		*value = (s32)(s >> 8 & 0xff);
	} else {
		*code = s & WAIT_CORE ? 3 : 2; /* CLD_DUMPED, CLD_KILLED */
		*value = (s32)(s & 0x7f);
	}
}

static s64 waitid_out(const struct wait *w, bool found, u64 uinfo, u64 uusage)
{
	struct { s32 signo, err, code, pad, pid; u32 uid; s32 status; } info = {0};

	if (found) {
		info.signo = SIGCHLD;
		info.pid = w->pid;
		info.uid = w->uid;
		siginfo_of(w, &info.code, &info.status);
	}
	if (found && uusage && copy_out((void *)uusage, &w->usage, sizeof(w->usage)))
		return -EFAULT;
	return uinfo ? copy_out((void *)uinfo, &info, sizeof(info)) : 0;
}

s64 sys_waitid(u64 type, u64 uid, u64 uinfo, u64 options, u64 uusage)
{
	struct wait w = {.type = (u32)type, .id = (s32)uid, .options = (u32)options};
	u32 flags = 0;
	s64 r;

	if (w.options & ~(u32)(WAIT_COMMON | WNOWAIT | WEXITED | WSTOPPED))
		return -EINVAL;
	if (!(w.options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	switch (w.type) {
	case P_ALL: break;
	case P_PID:
		if (w.id <= 0)
			return -EINVAL;
		break;
	case P_PGID:
		if (w.id < 0)
			return -EINVAL;
		if (!w.id)
			w.id = current->proc->kp->pgid;
		break;
	case P_PIDFD:
		if (w.id < 0)
			return -EINVAL;
		w.type = P_PID;
		w.id = pidfd_pid(w.id, &flags);
		if (w.id < 0)
			return w.id;
		if (flags & O_NONBLOCK)
			w.options |= WNOHANG;
		break;
	default: return -EINVAL;
	}
	r = do_wait(&w);
	if (!r && flags & O_NONBLOCK && !(options & WNOHANG))
		return -EAGAIN;
	if (r < 0)
		return r;
	return waitid_out(&w, r > 0, uinfo, uusage);
}

s64 wait_reap_any(u32 *wait_status)
{
	struct wait w = {.type = P_ALL, .options = WEXITED | __WALL};
	s64 r = look(&w);

	*wait_status = w.status;
	return r > 0 ? w.pid : r;
}
