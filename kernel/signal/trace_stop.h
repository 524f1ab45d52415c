/* SPDX-License-Identifier: ISC */
/*
 * The traced thread's side of ptrace(2): where it stops, and how it goes on. All of the current
 * thread, and nothing but a look if it is not traced.
 */
#ifndef KERNEL_SIGNAL_TRACE_STOP_H
#define KERNEL_SIGNAL_TRACE_STOP_H

#include "kernel/task/thread.h"

/* exit work: what its tracer asks for, and the stops of a program that has just begun. */
void trace_work(struct trapframe *frame);
/*
 * A signal was taken off the queue: what becomes of it, which the tracer decides. The signal to
 * deliver, with info; 0: none.
 */
int trace_signal(int sig, struct ksiginfo *info);
/* A handler is about to begin, and has begun: a single step ends there. */
void trace_handler_begins(struct trapframe *frame);
void trace_handler_begun(void);
/* Its process is stopped: true if it is not to sleep, because its tracer decides. */
bool trace_group_stop(void);
/* T: a stop of p begins or ends. */
void trace_stop_begins(struct kin_proc *p);
void trace_stop_ends(struct kin_proc *p);

/* A system call of a thread that has trace_request. False: it is not to be made. */
bool trace_call_entry(struct trapframe *frame);
void trace_call_exit(struct trapframe *frame);

/* PTRACE_EVENT_*, if the tracer asked for it. */
void trace_event(u32 event, u64 message);
/* The call by which the current program came, once there is no way back. */
void trace_exec(void);

#endif
