/* SPDX-License-Identifier: ISC */
/*
 * Clocks from the TSC and kin's calibration, timers, the vDSO. Deadlines are CLOCK_MONOTONIC
 * nanoseconds. Timers are private to the member; an expiry is posted like any other signal.
 */
#ifndef KERNEL_TIME_TIME_H
#define KERNEL_TIME_TIME_H

#include "abi/kin.h"

#define NSEC_PER_SEC 1000000000ull

u64 time_mono_ns(void);
u64 time_real_ns(void);
u64 time_boot_ns(void);

/* CPU time of the calling process or of its main thread. A hypercall. */
u64 time_process_cpu_ns(void);
u64 time_thread_cpu_ns(void);

/*
 * Same clock: struct timespec of the application. 0, -EFAULT, or -EINVAL if it is not a time.
 * Saturates.
 */
int time_timespec_in(u64 user, u64 *ns);
int time_timespec_out(u64 user, u64 ns);
/* Relative time-out of poll, sigtimedwait and others: the deadline, or 0 if it is zero. */
int time_timeout_in(u64 user, u64 *deadline_ns);
/* now + ns, saturating below HYP_NO_DEADLINE */
u64 time_deadline(u64 now_ns, u64 ns);

struct proc;
struct timers;
/*
 * The earliest expiry of any timer of the member's processes, or HYP_NO_DEADLINE: a sleep and
 * the tick use it. CPU-time timers count while the application computes only: timers_next_asleep
 * leaves them out.
 */
u64 timers_next(void);
u64 timers_next_asleep(void);
/*
 * Posts the signals of expired timers; called on interrupts and wake-ups. Cheap if none is due.
 * Never sleeps.
 */
void timers_run(void);
void timers_fork_child(struct proc *p);   /* timers are not inherited */
void timers_exec(struct proc *p);         /* itimers stay, POSIX timers go */
void timers_release(struct proc *p);
/* The current process's RLIMIT_CPU has been set, or inherited. 0, or -ENOMEM: it is not kept. */
int timers_cpu_limit(void);
/* timers_signal_taken, timers_signals_discarded: kernel/task/task_hooks.h. */

/* vDSO: copies the image to VDSO_ADDR; returns the address for AT_SYSINFO_EHDR. */
u64 vdso_map(void);

#endif
