/* SPDX-License-Identifier: ISC */
/* What the files of signal handling share; nobody else includes it. */
#ifndef KERNEL_SIGNAL_SIGNAL_INTERNAL_H
#define KERNEL_SIGNAL_SIGNAL_INTERNAL_H

#include <stdatomic.h>

#include "kernel/signal/signal.h"

#define HANDLER_DEFAULT 0ull
#define HANDLER_IGNORE 1ull

/* ---- signal_queue.c: pure; the caller holds the lock of what it changes. */
/* 1 posted, 0 was pending already (standard signal), -EAGAIN. *node is taken (NULLed) if used. */
int signal_queue_post(struct signal_queue *q, _Atomic u64 *pending, const struct ksiginfo *info,
	u64 limit, struct signal_node **node);
/* Takes sig, which is pending; the node to free, if any. */
struct signal_node *signal_queue_take(struct signal_queue *q, _Atomic u64 *pending, int sig,
	struct ksiginfo *info);
/* Forgets the signals of set; a list of nodes to free. */
struct signal_node *signal_queue_flush(struct signal_queue *q, _Atomic u64 *pending, sigset set);
/* After the holder of the lock died at any instruction of the above. */
void signal_queue_repair(struct signal_queue *q, _Atomic u64 *pending);
/* The signal to deliver first: SIGKILL, faults, then the lowest number. set is not 0. */
int signal_choose(sigset set);

/* ---- signal_restart.c: pure. What becomes of an interrupted call. */
void signal_restart_handler(struct trapframe *frame, u64 action_flags);
void signal_restart_none(struct trapframe *frame);

/* ---- signal.c */
void signals_lock(struct kin_signals *s);
void signals_unlock(struct kin_signals *s);
/* Takes the first pending signal of want off t's or its process's queue; 0: none. */
int signal_take(struct thread *t, sigset want, struct ksiginfo *info);
/*
 * Publishes to senders what the process ignores and blocks. After every change of mask or actions.
 */
void signal_publish(struct proc *p);
/* Discards pending signals of set in the process and all its threads. */
void signal_discard(struct proc *p, sigset set);
/* What a sender asked to discard of the threads' own signals (struct kin_signals, flush). */
void signal_apply_flush(struct proc *p);
void signal_action_set(struct proc *p, int sig, const struct signal_action *a);
void signal_nodes_free(struct signal_node *list, bool kin);

/* ---- signal_frame.c */
/* Writes the frame and points the registers at the handler. 0 or -EFAULT. */
int signal_frame_push(struct trapframe *frame, int sig, const struct ksiginfo *info,
	const struct signal_action *a);
/* Linux's rules for a new alternate stack; also used by rt_sigreturn. */
int signal_altstack_set(struct thread *t, u64 sp, const stack_t *new_stack);
u32 signal_altstack_flags(const struct thread *t, u64 sp);

/* The current thread's SIGSEGV when a frame cannot be written or read. */
void signal_force_segv(int while_delivering);

#endif
