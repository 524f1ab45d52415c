/* SPDX-License-Identifier: ISC */
/*
 * The vDSO: clocks for unmodified programs without a system call. A shared object of its own,
 * linked for any address and copied to VDSO_ADDR; this is application code. It reads the family's
 * calibration, which every member maps at the same address, and writes nothing but its
 * results. Names and version as in vdso(7).
 */
#include <asm/unistd.h>
#include <linux/time.h>

#include "kernel/time/clock_read.h"

#define NSEC_PER_SEC 1000000000ull
#define COARSE_RES_NS 4000000
#define EXPORT __attribute__((visibility("default")))
#define ALIAS(of) __attribute__((weak, alias(#of), visibility("default")))

struct vdso_timespec {
	s64 sec, nsec;
};
struct vdso_timeval {
	s64 sec, usec;
};
struct vdso_timezone {
	s32 minutes_west, dst;
};

static inline bool mono_now(u64 *ns)
{
	struct clock_sample s;

	if (!clock_read(&KIN->clock, &s))
		return false;
	*ns = s.mono_ns;
	return true;
}

static inline bool real_now(u64 *ns)
{
	struct clock_sample s;

	if (!clock_read(&KIN->clock, &s))
		return false;
	*ns = s.mono_ns + (u64)s.realtime_offset_ns;
	return true;
}

static inline bool boot_now(u64 *ns)
{
	struct clock_sample s;

	if (!clock_read(&KIN->clock, &s))
		return false;
	*ns = s.mono_ns + (u64)s.boottime_offset_ns;
	return true;
}

EXPORT int __vdso_clock_gettime(s32 clock, struct vdso_timespec *t);
EXPORT int __vdso_clock_getres(s32 clock, struct vdso_timespec *t);
EXPORT int __vdso_gettimeofday(struct vdso_timeval *t, struct vdso_timezone *zone);
EXPORT s64 __vdso_time(s64 *t);
EXPORT long __vdso_getcpu(u32 *cpu, u32 *node, void *unused);

int __vdso_clock_gettime(s32 clock, struct vdso_timespec *t)
{
	bool known = false;
	u64 ns;

	switch (clock) {
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_MONOTONIC_RAW:
		known = mono_now(&ns);
		break;
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		known = real_now(&ns);
		break;
	case CLOCK_BOOTTIME:
		known = boot_now(&ns);
		break;
	}
	if (!known)
		return (int)arch_user_call(__NR_clock_gettime, clock, (long)t);
	t->sec = (s64)(ns / NSEC_PER_SEC);
	t->nsec = (s64)(ns % NSEC_PER_SEC);
	return 0;
}

int __vdso_clock_getres(s32 clock, struct vdso_timespec *t)
{
	s64 ns = 1;

	switch (clock) {
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		ns = COARSE_RES_NS;
		break;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME:
	case CLOCK_BOOTTIME:
		break;
	default:
		return (int)arch_user_call(__NR_clock_getres, clock, (long)t);
	}
	if (t)
		*t = (struct vdso_timespec){ 0, ns };
	return 0;
}

int __vdso_gettimeofday(struct vdso_timeval *t, struct vdso_timezone *zone)
{
	u64 ns;

	if (t) {
		if (!real_now(&ns))
			return (int)arch_user_call(__NR_gettimeofday, (long)t, (long)zone);
		t->sec = (s64)(ns / NSEC_PER_SEC);
		t->usec = (s64)(ns % NSEC_PER_SEC / 1000);
	}
	if (zone)
		*zone = (struct vdso_timezone){ 0, 0 };
	return 0;
}

s64 __vdso_time(s64 *t)
{
	s64 seconds;
	u64 ns;

	if (!real_now(&ns))
		return arch_user_call(__NR_time, (long)t, 0);
	seconds = (s64)(ns / NSEC_PER_SEC);
	if (t)
		*t = seconds;
	return seconds;
}

/* One virtual CPU per member. */
long __vdso_getcpu(u32 *cpu, u32 *node, void *unused)
{
	if (cpu)
		*cpu = 0;
	if (node)
		*node = 0;
	return 0;
}

ALIAS(__vdso_clock_gettime) int clock_gettime(s32 clock, struct vdso_timespec *t);
ALIAS(__vdso_clock_getres) int clock_getres(s32 clock, struct vdso_timespec *t);
ALIAS(__vdso_gettimeofday) int gettimeofday(struct vdso_timeval *t, struct vdso_timezone *zone);
ALIAS(__vdso_time) s64 time(s64 *t);
ALIAS(__vdso_getcpu) long getcpu(u32 *cpu, u32 *node, void *unused);
