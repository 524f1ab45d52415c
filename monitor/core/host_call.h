/* SPDX-License-Identifier: ISC */
/*
 * Host system calls without libc: the result is a value or -errno, errno is not touched. Every
 * instruction that enters the host kernel so lies in the monitor's own text, which the routing
 * filter of the process backend knows by address; the host's vDSO does not, so code that runs
 * after confinement must not use libc functions that enter it (clock_gettime).
 *
 * One rule for signals. The monitor's own signals mean nothing to the program, so it never hears of
 * them from a host call: host_call makes a call that one of them ended again. A call that may wait
 * without end is made by interruptible_syscall instead (interrupt.h), and only such a hypercall may
 * answer -EINTR: the guest's kernel then looks for what came and decides, by Linux' rules, whether
 * the program's call goes on, starts again or fails with EINTR.
 */
#ifndef MONITOR_CORE_HOST_CALL_H
#define MONITOR_CORE_HOST_CALL_H

#include <errno.h>
#include <sys/syscall.h>

#include "common/types.h"

static inline s64 host_call_once(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	register u64 r10 __asm__("r10") = d;
	register u64 r8 __asm__("r8") = e;
	register u64 r9 __asm__("r9") = f;
	s64 ret = nr;

	__asm__ volatile("syscall"
			 : "+a"(ret)
			 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

/* -EINTR from close: the descriptor is closed all the same. */
static inline s64 host_call(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	s64 ret = host_call_once(nr, a, b, c, d, e, f);

	if (nr == SYS_close)
		return ret == -EINTR ? 0 : ret;
	while (ret == -EINTR)
		ret = host_call_once(nr, a, b, c, d, e, f);
	return ret;
}

#define HOST_CALL(nr, ...) HOST_CALL_PADDED(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define HOST_CALL_PADDED(nr, a, b, c, d, e, f, ...)                                                \
	host_call((nr), (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (u64)(f))

static inline u64 host_rdtsc(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

#endif
