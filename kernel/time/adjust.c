/* SPDX-License-Identifier: ISC */
/*
 * System calls that steer the clocks. The clocks are the host's, so whoever changes one gets EPERM,
 * like a process without CAP_SYS_TIME; reading shows a clock that nobody disciplines.
 */
#include <asm/errno.h>
#include <linux/time.h>
#include <linux/timex.h>

#include "kernel/arch/arch.h"
#include "kernel/syscall/syscall.h"
#include "kernel/time/time.h"

#define MAX_ERROR_US 16000000
#define MAX_SLEW (500 << 16) /* scaled parts per million, as in Linux's timekeeping */
#define TICK_US 10000

static s64 adjust(u64 user)
{
	struct __kernel_timex t;
	u64 now = time_real_ns();

	if (copy_in(&t, (void *)user, sizeof(t)))
		return -EFAULT;
	if (t.modes && t.modes != ADJ_OFFSET_SS_READ)
		return -EPERM;
	t = (struct __kernel_timex){
		.modes = t.modes,
		.maxerror = MAX_ERROR_US,
		.esterror = MAX_ERROR_US,
		.status = STA_UNSYNC,
		.constant = 2,
		.precision = 1,
		.tolerance = MAX_SLEW,
		.time.tv_sec = (s64)(now / NSEC_PER_SEC),
		.time.tv_usec = (s64)(now % NSEC_PER_SEC / 1000),
		.tick = TICK_US,
	};
	return copy_out((void *)user, &t, sizeof(t)) ? -EFAULT : TIME_ERROR;
}

s64 sys_adjtimex(u64 user)
{
	return adjust(user);
}

s64 sys_clock_adjtime(u64 clock, u64 user)
{
	return (s32)clock == CLOCK_REALTIME ? adjust(user) : -EINVAL;
}

s64 sys_settimeofday(u64 utime, u64 uzone)
{
	struct { s64 sec, usec; } t;

	if (utime) {
		if (copy_in(&t, (void *)utime, sizeof(t)))
			return -EFAULT;
		if (t.usec < 0 || t.usec > 1000000)
			return -EINVAL;
	}
	return -EPERM;
}
