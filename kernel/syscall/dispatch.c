/* SPDX-License-Identifier: ISC */
/*
 * From a trapped or redirected `syscall` to its handler. Counts are private to the member
 * (kernel/kin/stats.c publishes them): a direct call came through its site's stub, first is a
 * site's first execution, trapped any other that trapped.
 */
#include <asm/errno.h>

#include "kernel/arch/arch.h"
#include "kernel/kin/syscall_counts.h"
#include "kernel/signal/seccomp.h"
#include "kernel/signal/trace_stop.h"
#include "kernel/syscall/syscall.h"

typedef s64 (*syscall_fn)(u64, u64, u64, u64, u64, u64);

/* Argument i: handlers see zeros above one of 32 bits. Constants decide, nothing is left of it. */
#define ARGUMENT(types, i, value)                                                                  \
	((i) + 1 < sizeof(types) && (types)[(i) + 1 < sizeof(types) ? (i) : 0] == 'i' ? (u32)(value)   \
																				  : (value))
#define ARGUMENTS_0(types)
#define ARGUMENTS_1(types) ARGUMENT(types, 0, a)
#define ARGUMENTS_2(types) ARGUMENTS_1(types), ARGUMENT(types, 1, b)
#define ARGUMENTS_3(types) ARGUMENTS_2(types), ARGUMENT(types, 2, c)
#define ARGUMENTS_4(types) ARGUMENTS_3(types), ARGUMENT(types, 3, d)
#define ARGUMENTS_5(types) ARGUMENTS_4(types), ARGUMENT(types, 4, e)
#define ARGUMENTS_6(types) ARGUMENTS_5(types), ARGUMENT(types, 5, f)
#define CALL(name, arity, types)                                                                   \
	static s64 call_##name(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)                               \
	{                                                                                              \
		_Static_assert(sizeof(types) == (arity) + 1, #name ": types");                             \
		return sys_##name(ARGUMENTS_##arity(types));                                               \
	}
#define CALL_FULL(name, arity, types) CALL(name, arity, types)
#define CALL_PARTIAL(name, arity, types) CALL(name, arity, types)
#define CALL_STUB(name, arity, types) CALL(name, arity, types)
#define CALL_NONE(name, arity, types)
#define SYSCALL(name, arity, types, level, note) CALL_##level(name, arity, types)
#include "kernel/syscall/syscalls.def"
#undef SYSCALL

#define ENTRY_FULL(name) [SYSCALL_##name] = call_##name,
#define ENTRY_PARTIAL(name) [SYSCALL_##name] = call_##name,
#define ENTRY_STUB(name) [SYSCALL_##name] = call_##name,
#define ENTRY_NONE(name)

static const syscall_fn table[SYSCALL_MAX] = {
#define SYSCALL(name, arity, types, level, note) ENTRY_##level(name)
#include "kernel/syscall/syscalls.def"
#undef SYSCALL
};

static void count(u64 nr, bool direct)
{
	struct cpu_counts *cpu = cpu_counts();

	if (direct) {
		syscall_direct[nr]++;
		cpu->syscalls_direct++;
	} else if (redirect_first_execution()) {
		syscall_first[nr]++;
		cpu->sites++;
	} else {
		syscall_trapped[nr]++;
		cpu->syscalls_trapped++;
	}
}

static void dispatch(struct trapframe *frame, bool direct)
{
	u64 nr = frame_call(frame);

	if ((u32)nr >= SYSCALL_MAX) {
		frame_set_result(frame, -ENOSYS);
		return;
	}
	nr = (u32)nr;
	if (__builtin_expect(current->proc->kp->inherited.seccomp_mode != 0, 0) && !seccomp_call(frame))
		return;
	count(nr, direct);
	if (!table[nr]) {
		syscall_unsupported[nr]++;
		syscall_unsupported_any = true;
		frame_set_result(frame, -ENOSYS);
		return;
	}
	frame_set_result(frame, table[nr](frame_argument(frame, 0), frame_argument(frame, 1),
		frame_argument(frame, 2), frame_argument(frame, 3), frame_argument(frame, 4),
		frame_argument(frame, 5)));
}

/* Out of the way of those that nobody traces. */
static __attribute__((noinline, cold)) void dispatch_traced(struct trapframe *frame, bool direct)
{
	if (trace_call_entry(frame))
		dispatch(frame, direct);
	trace_call_exit(frame);
}

void syscall_dispatch(struct trapframe *frame, bool direct)
{
	if (__builtin_expect(current->trace_request != 0, 0))
		dispatch_traced(frame, direct);
	else
		dispatch(frame, direct);
}
