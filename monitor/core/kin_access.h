/* SPDX-License-Identifier: ISC */
/*
 * Kin on the host side. Every member can write all of kin at any moment, so a field is read once,
 * through KIN_READ, into a local that is then checked and used. tools/check.py refuses other reads
 * in monitor/supervisor.
 */
#ifndef MONITOR_CORE_KIN_ACCESS_H
#define MONITOR_CORE_KIN_ACCESS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/types.h"

#define KIN_READ(field) (*(const volatile __typeof__(field) *)&(field))
#define KIN_WRITE(field, value) (*(volatile __typeof__(field) *)&(field) = (value))

/* The bits of a map's word, which is empty then; without a write if it was. */
static inline u64 kin_bits_take(_Atomic u64 *word)
{
	return atomic_load_explicit(word, memory_order_relaxed) ? atomic_exchange(word, 0) : 0;
}

static inline void kin_bits_set(_Atomic u64 *word, u64 bits)
{
	atomic_fetch_or(word, bits);
}

static inline void kin_bits_clear(_Atomic u64 *word, u64 bits)
{
	atomic_fetch_and(word, ~bits);
}

/* One bit for each member: `index` is the caller's, checked. */
static inline void kin_map_set(_Atomic u64 *map, u32 index)
{
	kin_bits_set(&map[index / 64], 1ull << (index % 64));
}

/* false: the field was not `from`. */
static inline bool kin_exchange(_Atomic s32 *field, s32 from, s32 to)
{
	return atomic_compare_exchange_strong(field, &from, to);
}

#endif
