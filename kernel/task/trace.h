/* SPDX-License-Identifier: ISC */
/*
 * Who traces whom: ptrace(2)'s state of a traced thread, which tracer and traced thread share, in
 * kin. What a stopped thread does is kernel/signal/trace_stop.c, what its tracer asks of it
 * kernel/proc/ptrace.c.
 *
 * T: all under tree_lock, except for what says otherwise; who stands in a stop reads state and
 * what it was told without it. A slot is in use as long as tid is not 0, which is stored last and
 * cleared first, and there are no lists, so that a death at any instruction leaves the table
 * whole. A slot goes with the tracer's detaching or end, and with the last that its wait hears of
 * the thread. That of one who stands in a stop has no tracer then, and is the thread's until it
 * has seen how it is to go on.
 */
#ifndef KERNEL_TASK_TRACE_H
#define KERNEL_TASK_TRACE_H

#include "kernel/arch/arch.h"
#include "kernel/task/task.h"

struct thread;

enum trace_state {
	TRACE_RUNS,
	TRACE_STOPPED,
	TRACE_LISTENS, /* PTRACE_LISTEN: stopped, but nothing may be asked of it */
	TRACE_ENDED,   /* a thread that ended, but not the whole process */
};
enum trace_asked {
	TRACE_ASK_SIGSTOP = 1, /* PTRACE_ATTACH: it gets this signal */
	TRACE_ASK_TRAP = 2,    /* PTRACE_INTERRUPT and the like: it stops */
};
enum trace_phase { TRACE_NO_CALL, TRACE_CALL_ENTRY, TRACE_CALL_EXIT };

struct trace {
	_Atomic s32 tid;
	s32 pid;               /* its process */
	_Atomic s32 tracer;    /* a process; 0: none any more */
	s32 former;            /* the number that it had before it execed */
	u32 options;           /* PTRACE_O_* */
	u32 seized;
	_Atomic u32 state;     /* enum trace_state; of one in a stop, a change resumes it */
	u32 report;            /* wait status that the tracer has not heard of; 0: none */
	_Atomic u32 asked;     /* no lock: bits of enum trace_asked */
	u32 stop_shown;        /* it was in the stop that its process is in (group stop) */
	u32 request;           /* it goes on by this PTRACE_* */
	u32 signal;            /* and with this */
	/*
	 * Of the present stop; no lock: the thread writes it before the state, then it is the
	 * tracer's.
	 */
	u32 has_info, phase, regs_changed, mask_changed;
	u64 message;           /* PTRACE_GETEVENTMSG */
	u64 mask;              /* blocked signals */
	u64 debug[4];          /* addresses of breakpoints that are not there (ptrace.c) */
	struct ksiginfo info;
	struct arch_regs regs;
};

/* T. The slot of thread tid, which has not ended; NULL: it is not traced. */
struct trace *trace_find(s32 tid);
/* The slot of t, no lock: a change that concerns it sets its attention. NULL: none. */
struct trace *trace_of(const struct thread *t);
/* No lock: has t to stop for its tracer on its way out? */
bool trace_wanted(const struct thread *t);

/* Room for a slot: before the lock. 0 or -ENOMEM. */
int trace_reserve(void);
/* T: a free slot, filled in and published; NULL: others took what was reserved. */
struct trace *trace_add(struct kin_proc *p, s32 tid, s32 tracer, u32 seized, u32 options);
/* T: not traced any more; who stands in a stop goes on. */
void trace_drop(struct trace *tr);
/* T: of p, which is gone for good. */
void trace_forget(struct kin_proc *p);
/* T. Calls fn for every slot in use until it returns non-zero. fn may drop the slot. */
int trace_foreach(int (*fn)(struct trace *tr, void *arg), void *arg);
/* T: tr's thread has something to tell by wait: SIGCHLD (code CLD_*), and its tracer is woken. */
void trace_tell(struct trace *tr, s32 code, u32 status);
/* T: tr's thread is to look: at its signals, at asked, or whether it is stopped still. */
void trace_rouse(struct trace *tr);
/* T: p is traced by somebody else than its parent, who has to wait for that one to hear first. */
struct trace *trace_hides(struct kin_proc *p);

#endif
