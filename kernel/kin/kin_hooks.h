/* SPDX-License-Identifier: ISC */
/* What kin asks of rooms above it: sleeping, and what else is to be buried. */
#ifndef KERNEL_KIN_KIN_HOOKS_H
#define KERNEL_KIN_KIN_HOOKS_H

#include "common/types.h"

struct hyp_pollfd;
struct kin_waiter;
struct thread;
struct thread_kin;

/* ---- kernel/sched/waiter.c */
struct kin_waiter *waiter_get(void);
void waiter_put(struct kin_waiter *w);
struct thread_kin *thread_kin(struct thread *t); /* t NULL: the boot code's */

/* ---- kernel/sched/sched.c */
/*
 * Blocks the current thread; other threads of the member may run. Returns 0 after any of the
 * thread's waiters was woken (or spuriously), -EINTR if interruptible and a signal is to be
 * delivered, -ETIMEDOUT. deadline: CLOCK_MONOTONIC ns or HYP_NO_DEADLINE. Never called with a kin
 * lock held.
 */
int thread_sleep(u64 deadline_ns, bool interruptible);
/* The same, and host handles are waited for: revents are filled. At most 64 handles. */
int thread_sleep_fds(u64 deadline_ns, bool interruptible, struct hyp_pollfd *fds, u32 nfds);

/* ---- kernel/futex/futex.c */
void futexes_init(void);
/* A waiter of the dead may have been woken in vain: somebody else gets the wake. */
void futex_pass_on(struct kin_waiter *w);

#endif
