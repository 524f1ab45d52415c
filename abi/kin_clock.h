/* SPDX-License-Identifier: ISC */
/* The family's clock, a part of kin (abi/kin.h): readers are all, writers monitor/core/clock.c. */
#ifndef ABI_KIN_CLOCK_H
#define ABI_KIN_CLOCK_H

#include "common/types.h"

/*
 * Time: ns = mono_base_ns + ((tsc - tsc_base) * mult >> shift), the product in 128 bits. A
 * seqlock: odd while written. usable is 0 where the host's clock source is not the TSC: then
 * hypercall clock. A reader that finds the calibration older than CLOCK_MAX_AGE_MS, or odd for more
 * than a moment (its writer may have died), asks hypercall clock, which also repairs it.
 */
#define CLOCK_MAX_AGE_MS 1000
struct kin_clock {
	_Atomic u32 seq;
	u32 usable;
	u32 shift;
	_Atomic u32 owner; /* who writes, see monitor/core/clock.c; 0: nobody */
	u64 mult;
	u64 tsc_base;
	u64 mono_base_ns;
	s64 realtime_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	s64 boottime_offset_ns;
	u64 tsc_khz;
	u64 host_tsc, host_ns; /* the host's clock at the last refresh: the writers' own */
};

#endif
