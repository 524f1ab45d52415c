/* SPDX-License-Identifier: ISC */
/* Between ptrace.c and ptrace_registers.c. */
#ifndef KERNEL_PROC_PTRACE_INTERNAL_H
#define KERNEL_PROC_PTRACE_INTERNAL_H

#include "kernel/task/trace.h"

/*
 * The tracer's look at a thread in a stop. Its slot is the caller's to use: nobody resumes the
 * thread meanwhile but its end, after which what is written there means nothing.
 */
s64 trace_get_user(struct trace *tr, u64 offset, u64 out);
s64 trace_set_user(struct trace *tr, u64 offset, u64 value);
s64 trace_get_registers(struct trace *tr, u32 type, u64 out, u64 *room); /* 0 or -errno */
s64 trace_set_registers(struct trace *tr, u32 type, u64 in, u64 *room);
s64 trace_regset(struct trace *tr, u64 type, u64 uiov, bool set);
s64 trace_call_info(struct trace *tr, u64 size, u64 out);

#endif
