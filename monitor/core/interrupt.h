/* SPDX-License-Identifier: ISC */
/*
 * The two places of the monitor that a signal handler may correct, both in interrupt.S. The
 * functions here are inline because the process backend's handlers run with the application's FS:
 * no TLS, no stack protector, no libc.
 *
 * interruptible_syscall: a host call that an interrupt (MONITOR_SIGNAL, TIMER_SIGNAL) always ends,
 * even if the signal arrives
 * between the check of *flag and the `syscall` instruction: the handler sets the flag, then moves
 * RIP to the way out. guarded_copy: memcpy where either side may fault; the handler of SIGSEGV
 * and SIGBUS moves RIP behind it.
 */
#ifndef MONITOR_CORE_INTERRUPT_H
#define MONITOR_CORE_INTERRUPT_H

#include <ucontext.h>

#include "common/types.h"

/* The result or -errno; -EINTR without entering the host while *flag is set. */
s64 interruptible_syscall(volatile int *flag, long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
/* Bytes that were NOT copied. */
size_t guarded_copy(void *dst, const void *src, size_t n);

extern const char interruptible_begin[], interruptible_end[], interruptible_cancel[];
extern const char guarded_copy_insn[], guarded_copy_fixup[];

/* In the interrupts' handler, after the flag was set. */
static inline void interruptible_fix(ucontext_t *uc)
{
	greg_t *rip = &uc->uc_mcontext.gregs[REG_RIP];

	if (*rip >= (greg_t)interruptible_begin && *rip < (greg_t)interruptible_end)
		*rip = (greg_t)interruptible_cancel;
}

/*
 * In the handler of SIGSEGV and SIGBUS: true if the fault was a guarded copy's and has been dealt
 * with.
 */
static inline bool guarded_fix(ucontext_t *uc)
{
	greg_t *rip = &uc->uc_mcontext.gregs[REG_RIP];

	if (*rip != (greg_t)guarded_copy_insn)
		return false;
	*rip = (greg_t)guarded_copy_fixup;
	return true;
}

#endif
