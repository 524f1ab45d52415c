/* SPDX-License-Identifier: ISC */
/* Between futex.c and futex_pi.c. */
#ifndef KERNEL_FUTEX_FUTEX_INTERNAL_H
#define KERNEL_FUTEX_FUTEX_INTERNAL_H

#include "kernel/futex/futex.h"
#include "kernel/kin/root.h"

/* Private waiters: link is ours, queue stays NULL, key becomes 0 when woken. */
TAILQ_HEAD(waiter_list, kin_waiter);

struct futex_key {
	u64 addr;                 /* in kin if shared, else the application's */
	struct kin_queue *queue;  /* shared */
	struct waiter_list *list; /* private */
};

/*
 * Added to the key of those who wait for a lock that inherits priority: FUTEX_WAKE and requeueing
 * never match them. Their bits are their thread ids.
 */
#define FUTEX_KEY_PI 1ull

s64 futex_key_get(u64 addr, bool shared, struct futex_key *key);
void futex_enqueue(struct kin_waiter *w, const struct futex_key *key, u32 bits);
bool futex_woken(struct kin_waiter *w, const struct futex_key *key);
/* False: a waker was faster. A requeue may have moved it to another queue or list. */
bool futex_dequeue(struct kin_waiter *w, const struct futex_key *key);
/* user_time: relative, or absolute on the monotonic or the real clock. */
s64 futex_deadline(u64 user_time, bool absolute, bool realtime, u64 *deadline_ns);

/*
 * Once: 0: woken, -EAGAIN: the word has another value, -EINTR, -ETIMEDOUT. futex_wake_checked: if
 * the word has the value expected, or -EAGAIN; how many.
 */
s64 futex_wait_once(u64 addr, u32 value, u32 bits, bool shared, u64 deadline_ns);
s64 futex_wake_checked(u64 addr, u32 n, bool shared, u32 expected);

/* futex_pi.c */
/* addr: the condition's word, addr2: the lock's. */
s64 futex_wait_requeue_pi(u64 addr, u32 value, u64 addr2, bool shared, u64 deadline_ns);
s64 futex_cmp_requeue_pi(u64 addr, u64 addr2, u32 nwake, u32 nmove, bool shared, u32 expected);
s64 futex_lock_pi(u64 addr, bool shared, u64 deadline_ns);
s64 futex_trylock_pi(u64 addr, bool shared);
s64 futex_unlock_pi(u64 addr, bool shared);
/* tid gives the lock to the next waiter, or to nobody; flags go into the word. 0 or -errno. */
s64 futex_pass_pi(u64 addr, bool shared, u32 tid, u32 flags);

#endif
