/* SPDX-License-Identifier: ISC */
/*
 * The scheduler of a member: which of its threads runs. How one waits: wait_until in kin_hooks.h,
 * for everybody.
 */
#ifndef KERNEL_SCHED_SCHED_H
#define KERNEL_SCHED_SCHED_H

#include "kernel/task/thread.h"

struct thread *thread_create(struct proc *p); /* not runnable yet */
void thread_destroy(struct thread *t);
void thread_start(struct thread *t);          /* into the run queue */
void schedule(void);
/*
 * The one place that programs the host's timer: for the earlier of timers_next() and the end of a
 * slice. Part of exit_work; call it if a timer was armed without setting attention.
 */
void sched_timer(bool expired);
u64 sched_cpu_ns(void); /* time this member did not sleep, since its start */

/* For fork, exec, exit and the start. */
void sched_init(void);
void sched_first_thread(void); /* first thing in the main thread */
void sched_fork_child(void);   /* only current is left */
int thread_start_user(struct thread *t, const struct trapframe *frame); /* 0 or -ENOMEM */
_Noreturn void sched_leave(struct proc *dead); /* current is gone; its process, too, unless NULL */
bool sched_others(void);       /* another thread of the member exists */
bool sched_runnable(void);     /* one could run now */
bool sched_wanted(void);       /* and should: the slice is over */
bool sched_timers_due(void);   /* a timer may be served now, on the way out */
void sched_poll(void);         /* blocked threads that may go on become runnable */

/* ---- sched_class.c */
#define RT_PRIO_MAX 99 /* of real-time classes */
struct kin_proc *sched_target(s32 pid); /* T: also by a thread of ours; 0: ourselves; NULL: none */
s64 sched_nice_permitted(const struct kin_proc *p, s32 nice); /* RLIMIT_NICE, or privilege */

/* ---- waiter.c */
/*
 * For thread_sleep_mode: was one of t's waiters woken since the last call? Clears the marks, so it
 * must be called before the condition is looked at again, and after the doorbell was read.
 */
bool waiters_woken(struct thread *t);
/* In the clone, for every thread it inherited: forget the waiters, they are the parent's. */
void waiters_fork_child(struct thread *t);
/* thread_destroy: its private lists here. */
void thread_kin_release(struct thread *t);

#endif
