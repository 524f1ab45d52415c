/* SPDX-License-Identifier: ISC */
/*
 * Counts are kept privately, without atomics, and added to the family's sums when a member exits.
 * What a killed member counted is lost.
 */
#include <stdatomic.h>

#include "kernel/arch/arch.h"
#include "kernel/host/hypercall_counts.h"
#include "kernel/kin/kin_core.h"
#include "kernel/kin/syscall_counts.h"
#include "kernel/lib/lib.h"

_Static_assert(SYSCALL_MAX == STATS_SYSCALLS, "the ABI has room for every system call");
_Static_assert(HYPERCALL_COUNT <= STATS_HYPERCALLS, "the ABI has room for every hypercall");

u32 syscall_direct[SYSCALL_MAX], syscall_trapped[SYSCALL_MAX];
u32 syscall_first[SYSCALL_MAX], syscall_unsupported[SYSCALL_MAX];
bool syscall_unsupported_any;

/* Eight at a time, because every fork and every exit looks, and nearly all of them are 0. */
static void flush_calls(_Atomic u64 *sums, u32 *counts)
{
	_Static_assert(SYSCALL_MAX % 8 == 0, "counts in eights");
	for (u32 at = 0; at < SYSCALL_MAX; at += 8) {
		u64 pairs[4];

		__builtin_memcpy(pairs, &counts[at], sizeof(pairs)); /* four loads */
		if (!(pairs[0] | pairs[1] | pairs[2] | pairs[3]))
			continue;
		for (u32 i = at; i < at + 8; i++)
			if (counts[i]) {
				atomic_fetch_add(&sums[i], counts[i]);
				counts[i] = 0;
			}
	}
}

static u64 count_take(u64 *count)
{
	u64 n = *count;

	*count = 0;
	return n;
}

void stats_flush(void)
{
	struct kin_member *self = member_self();
	struct kin_stats *sums = &KIN->stats;
	struct cpu_counts *cpu = cpu_counts();
	u64 faults = count_take(&cpu->faults), interrupts = count_take(&cpu->interrupts);

	flush_calls(sums->direct, syscall_direct);
	/* Seldom anything: the pages of these stay untouched. */
	if (cpu->syscalls_trapped)
		flush_calls(sums->trapped, syscall_trapped);
	if (cpu->sites)
		flush_calls(sums->first, syscall_first);
	if (syscall_unsupported_any)
		flush_calls(sums->unsupported, syscall_unsupported);
	syscall_unsupported_any = false;
	for (u32 i = 0; i < HYPERCALL_COUNT; i++)
		if (host_counts[i])
			atomic_fetch_add(&sums->hypercalls[i], count_take(&host_counts[i]));
	atomic_fetch_add(&sums->faults, faults);
	atomic_fetch_add(&sums->interrupts, interrupts);
	self->syscalls_direct += count_take(&cpu->syscalls_direct);
	self->syscalls_trapped += count_take(&cpu->syscalls_trapped);
	self->sites += count_take(&cpu->sites);
	self->hypercalls += count_take(&host_calls);
	self->faults += faults;
	self->interrupts += interrupts;
}

/* The parent has published just before: nothing but what has happened since is left to clear. */
void stats_fork_child(void)
{
	memset(host_counts, 0, sizeof(host_counts));
	*cpu_counts() = (struct cpu_counts){0};
	host_calls = 0;
}
