/* SPDX-License-Identifier: ISC */
/* What kin asks of rooms above it: sleeping, and what else is to be buried. */
#ifndef KERNEL_KIN_KIN_HOOKS_H
#define KERNEL_KIN_KIN_HOOKS_H

#include "common/types.h"

struct hyp_pollfd;
struct kin_queue;
struct kin_waiter;
struct thread;
struct thread_kin;

/* ---- kernel/sched/waiter.c */
struct kin_waiter *waiter_get(void);
void waiter_put(struct kin_waiter *w);
struct thread_kin *thread_kin(struct thread *t); /* t NULL: the boot code's */

/* What ends a sleep besides a wake-up and its deadline. */
enum sleep_mode {
	SLEEP_UNINTERRUPTIBLE,
	SLEEP_INTERRUPTIBLE, /* a signal to deliver */
	SLEEP_KILLABLE,      /* SIGKILL, or the process is leaving */
	SLEEP_STOPPED,       /* SIGCONT or SIGKILL pending, blocked or not */
	SLEEP_LEAVING,       /* SIGKILL, of a process that is leaving already */
	SLEEP_ANY_SIGNAL,    /* any pending signal of the process: the kernel's own PID 1 */
};
enum wait_flags {
	WAIT_MODE = 7,       /* one of enum sleep_mode, and: */
	WAIT_EXCLUSIVE = 8,  /* one of these is woken for an event that one can use */
	WAIT_RESTARTS = 16,  /* a signal makes it -ERESTARTSYS instead of -EINTR */
	WAIT_RESTARTABLE = SLEEP_INTERRUPTIBLE | WAIT_RESTARTS, /* what most system calls do */
};

/* ---- kernel/sched/wait_until.c */
/*
 * Sleeps until ready(argument) is true: 0. Else -EINTR, or -ETIMEDOUT at the deadline
 * (CLOCK_MONOTONIC ns or HYP_NO_DEADLINE). Whoever makes ready true wakes the queue after it. queue
 * NULL: the caller's own waiters are on some queue already, or the thread itself is woken
 * (thread_wake). ready NULL: until the time or a signal comes. Never with a kin lock held. How it
 * cannot miss a wake-up: at the function.
 */
int wait_until(struct kin_queue *queue, bool (*ready)(void *argument), void *argument,
	u64 deadline_ns, u32 flags);

/* ---- kernel/sched/sched.c */
/*
 * One sleep, for wait_until, and for who waits for host handles as well (at most 64; revents are
 * filled). 0 after any of the thread's waiters was woken, a handle is ready, or spuriously; -EINTR,
 * -ETIMEDOUT. Never with a kin lock held.
 */
int thread_sleep_mode(u64 deadline_ns, enum sleep_mode mode, struct hyp_pollfd *fds, u32 nfds);

/* What came to sockets of the host meanwhile is made known: for who looks and does not sleep. */
void sched_news(void);

/* ---- kernel/futex/futex.c */
void futexes_init(void);
/* A waiter of the dead may have been woken in vain: somebody else gets the wake. */
void futex_pass_on(struct kin_waiter *w);

/* ---- kernel/event/epoll_list.c */
/* A hook's queue is woken, and locked: whose sleepers are to be woken, too, or NULL. */
struct kin_queue *queue_told(struct kin_waiter *w);

/* ---- kernel/fd/fd_owner.c */
/*
 * The hook of a file's owner, under the lock of its queue: he is to get a signal. events: EPOLL*,
 * what has happened. false: there are as many to be sent as can be remembered, and not this one.
 */
bool owner_told(struct kin_waiter *w, u32 events);
/* Sends them: without that lock, and none of TREE's rank or above is held. */
void owners_signal(void);

#endif
