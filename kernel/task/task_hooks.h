/* SPDX-License-Identifier: ISC */
/* What kernel/task asks of rooms above it. Each is defined in the file that is named. */
#ifndef KERNEL_TASK_TASK_HOOKS_H
#define KERNEL_TASK_TASK_HOOKS_H

#include "kernel/task/thread.h"

/* kernel/sched/sched.c: t leaves its sleep and looks again. */
void thread_wake(struct thread *t);

/*
 * kernel/sched/remote.c: a signal for a thread of another process, whose member is asked. sig 0: is
 * it there? 0 or -errno.
 */
s64 thread_signal_remote(s32 pid, s32 tid, int sig, const struct ksiginfo *info);

/*
 * kernel/event/signalfd.c: something is pending: whoever waits for it in a signalfd looks. Without
 * tree_lock, whose rings are for that (tree_wake_signalfd).
 */
void signalfd_wake(const struct kin_proc *target);

/* kernel/event/pidfd.c: the same for a process that has ended (tree_wake_pidfd). */
void pidfd_wake(s32 pid);

/* kernel/signal/stop.c. T; sig: SIGCONT or SIGKILL; if it is stopped */
void proc_end_stop(struct kin_proc *p, int sig);

/*
 * kernel/time/posix_timer.c: a timer's signal leaves the queue: fills in the overruns and starts
 * the next period. Or such signals are discarded.
 */
void timers_signal_taken(struct proc *p, struct ksiginfo *info);
void timers_signals_discarded(struct proc *p, u64 set);

#endif
