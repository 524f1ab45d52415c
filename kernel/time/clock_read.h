/* SPDX-License-Identifier: ISC */
/*
 * Reading the family's calibration. Used by the kernel and by the vDSO, that is, by application
 * code: no calls, no writes. A reader gives up if it is not usable, too old, or odd for long (a
 * seqlock whose writer died): hypercall clock answers then, and repairs it.
 */
#ifndef KERNEL_TIME_CLOCK_READ_H
#define KERNEL_TIME_CLOCK_READ_H

#include <stdatomic.h>

#include "abi/kin.h"
#include "kernel/arch/arch.h"
#include "kernel/lib/order.h"

#define CLOCK_READ_TRIES 1000
#define CLOCK_MAX_AGE_NS (CLOCK_MAX_AGE_MS * 1000000ull)

struct clock_sample {
	u64 mono_ns;
	s64 realtime_offset_ns, boottime_offset_ns;
};

/* A calibration by another CPU may be a little ahead of this CPU's TSC: never before its base. */
static inline u64 clock_scale(u64 tsc, u64 base, u64 mult, u32 shift)
{
	if (tsc <= base)
		return 0;
	return (u64)((unsigned __int128)(tsc - base) * mult >> (shift & 127));
}

static inline bool clock_read(const struct kin_clock *c, struct clock_sample *s)
{
	for (u32 tries = 0; tries < CLOCK_READ_TRIES; tries++) {
		u32 seq = observe(&c->seq);
		u64 base_ns, age_ns;

		if (seq & 1) {
			cpu_relax();
			continue;
		}
		if (!*(const volatile u32 *)&c->usable)
			return false;
		base_ns = c->mono_base_ns;
		s->realtime_offset_ns = c->realtime_offset_ns;
		s->boottime_offset_ns = c->boottime_offset_ns;
		age_ns = clock_scale(arch_cycles_ordered(), c->tsc_base, c->mult, c->shift);
		load_order();
		if (atomic_load_explicit(&c->seq, memory_order_relaxed) != seq)
			continue;
		s->mono_ns = base_ns + age_ns;
		return age_ns <= CLOCK_MAX_AGE_NS;
	}
	return false;
}

#endif
