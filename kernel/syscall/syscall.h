/* SPDX-License-Identifier: ISC */
/*
 * System calls: prototypes derived from syscalls.def. A handler takes the values of the registers
 * (arguments that Linux declares as int have zeros above), returns the result or -errno (also the
 * internal -ERESTART* of signal.h). The caller's registers: thread_frame(current).
 */
#ifndef KERNEL_SYSCALL_SYSCALL_H
#define KERNEL_SYSCALL_SYSCALL_H

#include "common/types.h"

#define SYS_ARGS_0 void
#define SYS_ARGS_1 u64
#define SYS_ARGS_2 u64, u64
#define SYS_ARGS_3 u64, u64, u64
#define SYS_ARGS_4 u64, u64, u64, u64
#define SYS_ARGS_5 u64, u64, u64, u64, u64
#define SYS_ARGS_6 u64, u64, u64, u64, u64, u64

#define SYSCALL_PROTO_FULL(name, arity) s64 sys_##name(SYS_ARGS_##arity);
#define SYSCALL_PROTO_PARTIAL(name, arity) s64 sys_##name(SYS_ARGS_##arity);
#define SYSCALL_PROTO_STUB(name, arity) s64 sys_##name(SYS_ARGS_##arity);
#define SYSCALL_PROTO_NONE(name, arity)
#define SYSCALL(name, arity, types, level, note) SYSCALL_PROTO_##level(name, arity)
#include "kernel/syscall/syscalls.def"
#undef SYSCALL

struct trapframe;
void syscall_dispatch(struct trapframe *frame, bool direct);

#endif
