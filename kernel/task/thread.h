/* SPDX-License-Identifier: ISC */
/*
 * Threads, private to the member: one runs, the others wait in the member's run queue or sleep
 * (kernel/sched).
 */
#ifndef KERNEL_TASK_THREAD_H
#define KERNEL_TASK_THREAD_H

#include "kernel/arch/arch.h"
#include "kernel/kin/kin_hooks.h"
#include "kernel/task/task.h"

#define KSTACK_SIZE 0x8000

enum thread_state { THREAD_RUNNABLE, THREAD_BLOCKED, THREAD_DEAD };

struct thread {
	struct arch_thread arch;     /* first */
	void *kstack;
	struct proc *proc;
	s32 tid;
	enum thread_state state;
	LIST_ENTRY(thread) sibling;  /* of the process */
	TAILQ_ENTRY(thread) run;     /* run queue of the member, or its list of blocked threads */
	u64 deadline_ns;
	struct thread_signals sig;   /* mask, alternate stack, thread-directed pending signals */
	u64 clear_child_tid;
	u64 robust_list, robust_len;
	u64 restart_fn;              /* restart_syscall: function and its saved arguments */
	u64 restart_arg[4];
	void *wait_state;            /* kernel/sched/waiter.c */
	u32 io_flags;                /* O_*: added by preadv2 and pwritev2 while they run */
	u64 timer_slack_ns, timer_slack_default_ns; /* PR_SET_TIMERSLACK; inherited */
	char comm[COMM_LEN];
	/* the rest is kernel/proc's */
	enum sleep_mode sleep_mode;
	s32 sleep_result;
	u32 sleep_nfds, wake_pending; /* wake_pending: thread_wake came while it was not asleep */
	struct hyp_pollfd *sleep_fds;
	struct trapframe *start;     /* first switch-in goes to the application with these; heap */
	u64 set_child_tid;           /* and stores its tid here first */
	struct proc *vfork_child;    /* it is suspended until this one execs or exits */
	bool woken_here;             /* it waits for private memory: no other member wakes it (futex) */
	u32 trace_request;           /* kernel/signal/trace_stop.c: the PTRACE_* that it goes on by */
	u32 trace_exec;              /* the call by which its program has just begun; 0: it has not */
	u32 exit_status;             /* wait status of a thread that ends alone, for its tracer */
	void *area;                  /* on the heap: registers that the kernel does not use (arch.h) */
};
_Static_assert(offsetof(struct thread, arch) == 0, "arch.h finds its part at the start");

/* The process ends, or another of its threads execs. */
static inline bool thread_must_exit(const struct thread *t)
{
	return t->proc->group_exit || (t->proc->exec_thread && t->proc->exec_thread != t);
}

void proc_set_comm(struct thread *t, const char *comm); /* kin_proc, thread, member */

#endif
