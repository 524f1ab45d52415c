/* SPDX-License-Identifier: ISC */
/*
 * What becomes of pending signals on the way out of the kernel: stops, deaths, handlers. Sending
 * and taking them: kernel/task/signal.h.
 */
#ifndef KERNEL_SIGNAL_SIGNAL_DELIVERY_H
#define KERNEL_SIGNAL_SIGNAL_DELIVERY_H

#include <stdatomic.h>

#include "kernel/task/thread.h"

/* ---- signal_restart.c: pure. What becomes of an interrupted call. */
void signal_restart_handler(struct trapframe *frame, u64 action_flags);
void signal_restart_none(struct trapframe *frame);

/* ---- signal_frame.c */
/* Writes the frame and points the registers at the handler. 0 or -EFAULT. */
int signal_frame_push(struct trapframe *frame, int sig, const struct ksiginfo *info,
	const struct signal_action *a);
/* Linux's rules for a new alternate stack; also used by rt_sigreturn. */
int signal_altstack_set(struct thread *t, u64 sp, const stack_t *new_stack);
u32 signal_altstack_flags(const struct thread *t, u64 sp);

/* The current thread's SIGSEGV when a frame cannot be written or read. */
void signal_force_segv(int while_delivering);

/* ---- signal_deliver.c */
/* The current thread's, whatever it thinks of it: blocked or ignored, it kills. */
void signal_force(int sig, const struct ksiginfo *info);
_Noreturn void signal_die(int sig); /* the process, as by that signal's default action */
/*
 * Exit work: deliver what is pending, restart or fail the interrupted call. May not return (death).
 */
void signal_deliver(struct trapframe *frame);

/* ---- stop.c */
void proc_stop(int sig); /* by signal delivery: sleeps until SIGCONT or SIGKILL */
void stop_wait(void);    /* the current process is stopped: sleeps until it is not */

#endif
