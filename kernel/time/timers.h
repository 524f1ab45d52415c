/* SPDX-License-Identifier: ISC */
/* Between timers.c, itimer.c and posix_timer.c. */
#ifndef KERNEL_TIME_TIMERS_H
#define KERNEL_TIME_TIMERS_H

#include "kernel/time/timer_list.h"

enum { ITIMERS = 3 }; /* ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF */

/* Private to the member; one per process that ever had a timer. */
struct timers {
	LIST_ENTRY(timers) link;            /* of the member */
	struct proc *proc;
	u32 member, generation;             /* a clone finds its parent's and drops them */
	struct timer_list armed[TIMER_BASES];
	u64 cpu_check_ns;                   /* CLOCK_MONOTONIC: look at the CPU-time bases then */
	struct timer itimer[ITIMERS];
	struct timer cpu_limit;             /* RLIMIT_CPU: itimer.c */
	LIST_HEAD(, timer) posix;
	s32 next_id;
	u32 nposix;
};

/* The current process's; NULL: no memory. */
struct timers *timers_get(void);
/* Nanoseconds of the base now. */
u64 timer_base_now(u8 base);
/* expiry 0 disarms. Adjusts what is programmed. */
void timer_arm(struct timers *ts, struct timer *t, u64 expiry_ns, u64 interval_ns);
/* After a change of expiry by other means. */
void timers_changed(void);

/* itimer.c: of the processor time that RLIMIT_CPU grants, a part is used up */
void cpu_limit_expired(struct timers *ts, u64 now);

/* posix_timer.c */
void posix_timer_expired(struct timers *ts, struct timer *t, u64 now);
void posix_timers_free(struct timers *ts);

#endif
