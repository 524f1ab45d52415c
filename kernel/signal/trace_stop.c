/* SPDX-License-Identifier: ISC */
/*
 * Stops of a traced thread (ptrace(2), "Stopped states"). The thread publishes its registers and
 * why it stopped in its slot (kernel/task/trace.h), tells its tracer, and sleeps until that one,
 * or its end, lets it go on. Its calls are not redirected from the first stop on: a tracer sees
 * the program's text as it is in the file, and a breakpoint or a step is where it belongs.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/ptrace.h>
#include <asm/siginfo.h>
#include <asm/unistd.h>
#include <linux/ptrace.h>

#include "kernel/arch/arch_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/call_sites.h"
#include "kernel/mm/mm.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal_delivery.h"
#include "kernel/signal/trace_stop.h"
#include "kernel/task/table.h"
#include "kernel/task/trace.h"

enum { CLD_TRAPPED_ = 4 };

struct stop {
	u32 code;              /* what wait shows above 0x7f: a signal, SIGTRAP | event << 8 */
	struct ksiginfo *info; /* what PTRACE_GETSIGINFO shows, and may change; NULL: nothing */
	u32 phase;
	u64 message;
	u32 signal;            /* what it goes on with if nobody decides */
	u32 flags;             /* of wait_until */
};

static bool standing(const struct trace *tr)
{
	u32 state = atomic_load(&tr->state);

	return state == TRACE_STOPPED || state == TRACE_LISTENS;
}

/* A tracer that lets go takes itself out first, and may die before it says that we go on. */
static bool over(void *arg)
{
	struct trace *tr = arg;

	return !standing(tr) || !atomic_load(&tr->tracer);
}

static bool killed(void)
{
	return current->proc->kp->signals.pending & SIGBIT(SIGKILL);
}

/* False: it is not traced any more, or dies. */
static bool stop_begin(struct trace *tr, const struct stop *s)
{
	struct thread *t = current;

	if (t->trace_request == PTRACE_SINGLESTEP)
		frame_set_step(thread_frame(t), false);
	calls_trap(t->proc->mm);
	tree_lock();
	bool stops = tr->tid == t->tid && tr->tracer && !killed();
	if (stops) {
		arch_regs_show(&tr->regs);
		tr->regs_changed = tr->mask_changed = 0;
		tr->mask = t->sig.restore_mask ? t->sig.saved_mask : t->sig.blocked;
		tr->has_info = s->info != NULL;
		if (s->info)
			tr->info = *s->info;
		tr->phase = s->phase;
		tr->message = s->message;
		tr->signal = s->signal;
		tr->request = PTRACE_CONT;
		tr->report = s->code << 8 | 0x7f;
		atomic_store(&tr->state, TRACE_STOPPED);
		trace_tell(tr, CLD_TRAPPED_, s->code & 0x7f);
	}
	tree_unlock();
	return stops;
}

/* The signal that it goes on with. */
static u32 stop_end(struct trace *tr, const struct stop *s)
{
	struct thread *t = current;
	struct arch_regs regs;
	u64 mask = 0;

	tree_lock();
	bool changed = tr->regs_changed, masked = tr->mask_changed;
	u32 signal = tr->signal;
	if (changed)
		regs = tr->regs;
	if (masked)
		mask = tr->mask;
	if (s->info)
		*s->info = tr->info;
	t->trace_request = tr->tracer ? tr->request : 0;
	tr->report = tr->phase = 0;
	atomic_store(&tr->state, TRACE_RUNS);
	if (!tr->tracer)
		trace_drop(tr); /* ours since the tracer let go */
	tree_unlock();
	arch_regs_resume(changed ? &regs : NULL);
	if (masked && t->sig.restore_mask)
		t->sig.saved_mask = mask & ~SIGSET_NEVER_BLOCKED;
	else if (masked)
		signal_set_blocked(mask);
	if (t->trace_request == PTRACE_SINGLESTEP)
		frame_set_step(thread_frame(t), true);
	publish(&t->proc->kp->attention, 1); /* what was asked for meanwhile */
	return killed() ? 0 : signal;
}

static u32 stop(struct trace *tr, const struct stop *s)
{
	if (!stop_begin(tr, s))
		return s->signal;
	wait_until(&current->proc->kp->wait_queue, over, tr, HYP_NO_DEADLINE, s->flags);
	return stop_end(tr, s);
}

/* What Linux shows of stops that are no signals. */
static struct ksiginfo info_of(u32 code)
{
	struct ksiginfo info = signal_info_user((int)(code & 0x7f), (s32)code);

	info.rt.pid = current->tid;
	return info;
}

static u32 stop_with_info(struct trace *tr, u32 code, u32 phase, u64 message, u32 flags)
{
	struct ksiginfo info = info_of(code);
	struct stop s = {.code = code, .info = &info, .phase = phase, .message = message,
					 .flags = flags};

	return stop(tr, &s);
}

/* ---- signals */

int trace_signal(int sig, struct ksiginfo *info)
{
	struct trace *tr = sig == SIGKILL ? NULL : trace_of(current);

	if (!tr)
		return sig;
	if (tr->asked) /* the stop that it was in is over: that comes first */
		trace_work(thread_frame(current));
	s32 tracer = tr->tracer;
	struct stop s = {.code = (u32)sig, .info = info, .signal = (u32)sig, .flags = SLEEP_KILLABLE};
	int now = (int)stop(tr, &s);
	if (!now)
		return 0;
	if (now != sig) {
		*info = (struct ksiginfo){.signo = now, .code = SI_USER};
		info->rt.pid = tracer;
	}
	if (!(current->sig.blocked & SIGBIT(now)))
		return now;
	signal_post_thread(current, now, info);
	return 0;
}

void trace_handler_begins(struct trapframe *frame)
{
	if (current->trace_request == PTRACE_SINGLESTEP)
		frame_set_step(frame, false);
}

void trace_handler_begun(void)
{
	struct trace *tr = current->trace_request == PTRACE_SINGLESTEP ? trace_of(current) : NULL;

	if (tr)
		stop_with_info(tr, SIGTRAP, TRACE_NO_CALL, 0, SLEEP_KILLABLE);
}

/* ---- the stop that a whole process is in */

static u32 stop_signal(const struct kin_proc *p)
{
	return p->wait_status >> 8 & 0xff;
}

bool trace_group_stop(void)
{
	struct trace *tr = trace_of(current);

	if (!tr || tr->stop_shown)
		return tr != NULL;
	tr->stop_shown = 1;
	u32 sig = stop_signal(current->proc->kp);
	struct stop s = {.code = sig, .flags = SLEEP_KILLABLE};
	if (tr->seized)
		stop_with_info(tr, sig | PTRACE_EVENT_STOP << 8, TRACE_NO_CALL, 0, SLEEP_KILLABLE);
	else
		stop(tr, &s);
	return true;
}

static int stop_begins(struct trace *tr, void *arg)
{
	if (tr->pid == *(s32 *)arg)
		tr->stop_shown = 0;
	return 0;
}

void trace_stop_begins(struct kin_proc *p)
{
	if (p->traced)
		trace_foreach(stop_begins, &p->pid);
}

/* Who was seized tells that it is over, also one that listens. */
static int stop_ends(struct trace *tr, void *arg)
{
	if (tr->pid != *(s32 *)arg)
		return 0;
	tr->stop_shown = 0;
	if (!tr->seized)
		return 0;
	atomic_fetch_or(&tr->asked, TRACE_ASK_TRAP);
	if (tr->state == TRACE_LISTENS)
		atomic_store(&tr->state, TRACE_RUNS);
	trace_rouse(tr);
	return 0;
}

void trace_stop_ends(struct kin_proc *p)
{
	if (p->traced)
		trace_foreach(stop_ends, &p->pid);
}

/* ---- system calls */

static void call_stop(struct trace *tr, u32 phase)
{
	u32 code = SIGTRAP | (tr->options & PTRACE_O_TRACESYSGOOD ? 0x80 : 0);
	u32 sig = stop_with_info(tr, code, phase, phase, SLEEP_KILLABLE);

	if (sig)
		signal_send_thread(current, (int)sig, NULL);
}

bool trace_call_entry(struct trapframe *frame)
{
	struct trace *tr = trace_of(current);
	u32 request = current->trace_request;

	if (!tr || (request != PTRACE_SYSCALL && request != PTRACE_SYSEMU))
		return true;
	frame_set_result(frame, -ENOSYS);
	call_stop(tr, TRACE_CALL_ENTRY);
	return request != PTRACE_SYSEMU && frame_is_call(frame);
}

void trace_call_exit(struct trapframe *frame)
{
	struct trace *tr = trace_of(current);

	if (tr && current->trace_request == PTRACE_SYSCALL)
		call_stop(tr, TRACE_CALL_EXIT);
	else if (tr && current->trace_request == PTRACE_SINGLESTEP)
		signal_fault(SIGTRAP, TRAP_BRKPT, frame_ip(frame));
}

/* ---- events */

void trace_event(u32 event, u64 message)
{
	struct trace *tr = trace_of(current);

	if (tr && tr->options & 1u << event)
		stop_with_info(tr, SIGTRAP | event << 8, TRACE_NO_CALL, message,
					   event == PTRACE_EVENT_EXIT ? SLEEP_LEAVING : SLEEP_KILLABLE);
}

void trace_exec(void)
{
	u64 call = frame_call(thread_frame(current)); /* in a fresh member there is none */

	if (current->proc->kp->traced)
		current->trace_exec = call == __NR_execveat ? __NR_execveat : __NR_execve;
}

/* The new program's first stops are the end of the call by which it came. */
static void exec_stops(struct trace *tr, struct trapframe *frame)
{
	struct ksiginfo info = signal_info_user(SIGTRAP, SI_USER);

	frame_set_call(frame, current->trace_exec);
	current->trace_exec = 0;
	frame_set_result(frame, 0);
	current->trace_request = tr->request;
	if (tr->options & PTRACE_O_TRACEEXEC)
		trace_event(PTRACE_EVENT_EXEC, (u64)(tr->former ? tr->former : current->tid));
	else if (!tr->seized)
		signal_send_thread(current, SIGTRAP, &info);
	tr->former = 0;
	trace_call_exit(frame);
	frame_end_call(frame);
}

void trace_work(struct trapframe *frame)
{
	struct kin_proc *p = current->proc->kp;
	struct trace *tr = trace_of(current);

	if (!tr)
		return;
	if (current->trace_exec)
		exec_stops(tr, frame);
	u32 asked = tr->asked ? atomic_exchange(&tr->asked, 0) : 0;
	if (asked & TRACE_ASK_SIGSTOP)
		signal_send_thread(current, SIGSTOP, NULL);
	if (!(asked & TRACE_ASK_TRAP))
		return;
	bool stopped = p->state == PROC_STOPPED;
	tr->stop_shown |= stopped;
	stop_with_info(tr, (stopped ? stop_signal(p) : SIGTRAP) | PTRACE_EVENT_STOP << 8, TRACE_NO_CALL,
				   0, SLEEP_KILLABLE);
}
