/* SPDX-License-Identifier: ISC */
/*
 * Timers in order of expiry, and the arithmetic of periods. A process has a handful: a list sorted
 * on insertion will do, searched from the end because a new timer usually expires last.
 */
#include "kernel/time/timer_list.h"

void timer_list_add(struct timer_list *l, struct timer *t)
{
	struct timer *before;

	t->listed = true;
	TAILQ_FOREACH_REVERSE(before, l, timer_list, armed_link) {
		if (before->expiry_ns <= t->expiry_ns) {
			TAILQ_INSERT_AFTER(l, before, t, armed_link);
			return;
		}
	}
	TAILQ_INSERT_HEAD(l, t, armed_link);
}

void timer_list_del(struct timer_list *l, struct timer *t)
{
	if (!t->listed)
		return;
	TAILQ_REMOVE(l, t, armed_link);
	t->listed = false;
}

u64 timer_forward(struct timer *t, u64 now)
{
	u64 passed;

	if (!t->interval_ns || now < t->expiry_ns)
		return 0;
	passed = (now - t->expiry_ns) / t->interval_ns;
	t->expiry_ns += (passed + 1) * t->interval_ns;
	return passed;
}

u64 timer_remaining(const struct timer *t, u64 now)
{
	struct timer next = *t;

	if (!t->expiry_ns)
		return 0;
	timer_forward(&next, now);
	return next.expiry_ns > now ? next.expiry_ns - now : 1;
}
