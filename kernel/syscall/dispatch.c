/* SPDX-License-Identifier: ISC */
/*
 * From a trapped or redirected `syscall` to its handler. Counts are private to the member
 * (kernel/kin/stats.c publishes them): a direct call came through its site's stub, first is a
 * site's first execution, trapped any other that trapped.
 */
#include <asm/errno.h>

#include "kernel/arch/x86_64/arch.h"
#include "kernel/arch/x86_64/redirect.h"
#include "kernel/syscall/counts.h"
#include "kernel/syscall/syscall.h"

u32 syscall_direct[SYSCALL_MAX], syscall_trapped[SYSCALL_MAX];
u32 syscall_first[SYSCALL_MAX], syscall_unsupported[SYSCALL_MAX];
bool syscall_unsupported_any;

typedef s64 (*syscall_fn)(u64, u64, u64, u64, u64, u64);

#define ENTRY_FULL(nr, name) [nr] = (syscall_fn)(void *)sys_##name,
#define ENTRY_PARTIAL(nr, name) [nr] = (syscall_fn)(void *)sys_##name,
#define ENTRY_STUB(nr, name) [nr] = (syscall_fn)(void *)sys_##name,
#define ENTRY_NONE(nr, name)

/*
 * Handlers take fewer arguments than they are called with: in this ABI the surplus registers are
 * just not read.
 */
static const syscall_fn table[SYSCALL_MAX] = {
#define SYSCALL(nr, name, arity, level, note) ENTRY_##level(nr, name)
#include "kernel/syscall/syscalls.def"
#undef SYSCALL
};

static void count(u64 nr, bool direct)
{
	struct percpu *cpu = PERCPU;

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

void syscall_dispatch(struct trapframe *frame, bool direct)
{
	u64 nr = frame->orig_rax;

	if ((u32)nr >= SYSCALL_MAX) {
		frame->rax = (u64)-ENOSYS;
		return;
	}
	nr = (u32)nr;
	count(nr, direct);
	if (!table[nr]) {
		syscall_unsupported[nr]++;
		syscall_unsupported_any = true;
		frame->rax = (u64)-ENOSYS;
		return;
	}
	frame->rax = table[nr](frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9);
}
