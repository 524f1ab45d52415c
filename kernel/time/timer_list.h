/* SPDX-License-Identifier: ISC */
/*
 * Timers as such: lists ordered by expiry and periods. Pure; kernel/time/timers.c gives them
 * meaning.
 */
#ifndef KERNEL_TIME_TIMER_LIST_H
#define KERNEL_TIME_TIMER_LIST_H

#include <sys/queue.h>

#include "common/types.h"

/* What a timer counts. Each base has a list of its own. */
enum timer_base { TIMER_MONO, TIMER_CPU, TIMER_CPU_USER, TIMER_BASES };

struct thread;

/* Private to the member. expiry in nanoseconds of the base; 0: disarmed. */
struct timer {
	TAILQ_ENTRY(timer) armed_link;
	LIST_ENTRY(timer) link;  /* POSIX timers of a process */
	u64 expiry_ns, interval_ns;
	bool listed;             /* in a list by expiry */
	bool queued;             /* its signal waits; the next period begins when that is taken */
	u8 base;                 /* enum timer_base */
	s32 id;                  /* POSIX: timer_t; itimers: -1 - which */
	s32 clock, notify, signo, overrun;
	u64 value, sequence;     /* sequence: which setting a queued signal belongs to */
	s32 tid;                 /* SIGEV_THREAD_ID */
};
TAILQ_HEAD(timer_list, timer);

/* Equal expiries stay in order of arming. */
void timer_list_add(struct timer_list *l, struct timer *t);
void timer_list_del(struct timer_list *l, struct timer *t);
/* Moves expiry past now by whole periods: how many it passed beyond the one that was due. */
u64 timer_forward(struct timer *t, u64 now);
/* Until the next expiry, at least 1 for a timer that is armed; 0: disarmed. */
u64 timer_remaining(const struct timer *t, u64 now);

#endif
