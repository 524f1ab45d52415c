/* SPDX-License-Identifier: ISC */
/*
 * nanosleep and clock_nanosleep. A sleep that a signal interrupts without a handler goes on through
 * restart_syscall to the same deadline; one that a handler interrupts returns EINTR and what was
 * left.
 */
#include <asm/errno.h>
#include <linux/time.h>

#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"

static bool time_has_come(void *deadline_ns)
{
	return time_mono_ns() >= *(u64 *)deadline_ns;
}

/*
 * 0 or -EINTR. Not before the deadline by the clock that the application reads: the host's, by
 * which a sleep ends, may be ahead of it.
 */
static int sleep_until(u64 deadline_ns)
{
	int err;

	do
		err = wait_until(NULL, time_has_come, &deadline_ns, deadline_ns, SLEEP_INTERRUPTIBLE);
	while (err == -ETIMEDOUT);
	return err;
}

/* restart_arg: deadline, address for the remainder or 0 */
static s64 sleep_restart(void)
{
	struct thread *t = current;
	u64 deadline = t->restart_arg[0], remainder = t->restart_arg[1], now;

	if (!sleep_until(deadline))
		return 0;
	now = time_mono_ns();
	if (now >= deadline)
		return 0;
	if (remainder && time_timespec_out(remainder, deadline - now))
		return -EFAULT;
	t->restart_fn = (u64)sleep_restart;
	return -ERESTART_RESTARTBLOCK;
}

static s64 sleep_relative(u64 ns, u64 remainder)
{
	struct thread *t = current;

	t->restart_arg[0] = time_deadline(time_mono_ns(), ns);
	t->restart_arg[1] = remainder;
	return sleep_restart();
}

s64 sys_nanosleep(u64 request, u64 remainder)
{
	u64 ns;
	int err = time_timespec_in(request, &ns);

	return err ? err : sleep_relative(ns, remainder);
}

/* The monotonic time at which that clock will show ns. */
static u64 deadline_of(s32 clock, u64 ns)
{
	u64 mono = time_mono_ns(), now = mono;

	if (clock == CLOCK_REALTIME || clock == CLOCK_TAI)
		now = time_real_ns();
	else if (clock == CLOCK_BOOTTIME)
		now = time_boot_ns();
	return ns <= now ? 0 : time_deadline(mono, ns - now);
}

s64 sys_clock_nanosleep(u64 clock, u64 flags, u64 request, u64 remainder)
{
	u64 ns;
	int err;

	switch ((s32)clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		break;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_PROCESS_CPUTIME_ID: /* Linux can */
	case CLOCK_THREAD_CPUTIME_ID:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
	err = time_timespec_in(request, &ns);
	if (err)
		return err;
	if (!(flags & TIMER_ABSTIME))
		return sleep_relative(ns, remainder);
	return sleep_until(deadline_of((s32)clock, ns)) ? -ERESTARTNOHAND : 0;
}
