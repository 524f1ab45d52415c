/* SPDX-License-Identifier: ISC */
/*
 * Process backend: where in the address space a guest may lie. Above private memory there are kin,
 * and the executable, heap and stack of the process that carries it, at addresses that the host has
 * chosen by chance. The supervisor looks once; monitors are its forks and have them at the same
 * places. What they map themselves until they are confined lands next to those, within a margin.
 * The rest are the zones: named to the guest's kernel, and all that the seccomp filter lets be
 * mapped. They are not reserved: every mapping costs a fork some microseconds, and a confined
 * monitor maps nothing at an address that the host chooses.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "monitor/core/core_internal.h"

#define GIB (1ull << 30)
#define MARGIN GIB
#define STACK_MARGIN (16ull << 20) /* it was used up already: monitors run on another one */
#define ISLANDS_MAX 64

extern const char __executable_start[], _end[];

struct islands {
	struct boot_range at[ISLANDS_MAX];
	u32 count;
	bool full;
};

static void island_add(struct islands *all, u64 start, u64 end, u64 margin)
{
	if (start < PRIVATE_END)
		return;
	if (all->count == ISLANDS_MAX) {
		all->full = true;
		return;
	}
	all->at[all->count++] = (struct boot_range){
		ALIGN_DOWN(MAX(start - margin, (u64)PRIVATE_END), HUGE_SIZE),
		MIN(ALIGN_UP(end + margin, HUGE_SIZE), ALIGN_DOWN((u64)USER_ADDRESS_END, HUGE_SIZE))};
}

/* What the program knows itself, should there be no /proc. */
static void islands_known(struct islands *all)
{
	u64 vdso = getauxval(AT_SYSINFO_EHDR), brk = (u64)sbrk(0), here = (u64)&vdso;

	island_add(all, (u64)__executable_start, (u64)_end, MARGIN);
	island_add(all, brk, brk, MARGIN);
	island_add(all, here, here, STACK_MARGIN);
	if (vdso)
		island_add(all, vdso, vdso, MARGIN);
}

static void islands_mapped(struct islands *all)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long long start, end;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%llx-%llx", &start, &end) == 2 && end <= USER_ADDRESS_END &&
			start != KIN_BASE)
			island_add(all, start, end, strstr(line, "[stack]") ? STACK_MARGIN : MARGIN);
	if (maps)
		fclose(maps);
}

static int range_compare(const void *a, const void *b)
{
	const struct boot_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void island_join(struct islands *all, u32 i)
{
	all->at[i].end = MAX(all->at[i].end, all->at[i + 1].end);
	memmove(&all->at[i + 1], &all->at[i + 2], (--all->count - i - 1) * sizeof(all->at[0]));
}

/* Those that overlap or lie close together become one, and the closest ones until few are left. */
static void islands_join(struct islands *all)
{
	qsort(all->at, all->count, sizeof(all->at[0]), range_compare);
	for (u32 i = 0; i + 1 < all->count;) {
		if (all->at[i + 1].start <= all->at[i].end + MARGIN)
			island_join(all, i);
		else
			i++;
	}
	while (all->count >= BOOT_ZONES) {
		u32 closest = 0;

		for (u32 i = 1; i + 1 < all->count; i++)
			if (all->at[i + 1].start - all->at[i].end <
				all->at[closest + 1].start - all->at[closest].end)
				closest = i;
		island_join(all, closest);
	}
}

int zones_find(struct family *f, struct error *err)
{
	struct islands all = {.count = 0};
	u64 at = KERNEL_END; /* one mapping may begin in private memory and end above it */

	f->zone_count = 0;
	if (!f->backend->runs_on_host)
		return 0;
	island_add(&all, KIN_BASE, KIN_END, 0);
	islands_known(&all);
	islands_mapped(&all);
	if (all.full)
		return error_set(err, 0, "this process has too many mappings; run without preloaded "
						 "libraries and tracers");
	islands_join(&all);
	for (u32 i = 0; i <= all.count; i++) {
		u64 end = i < all.count ? all.at[i].start : ALIGN_DOWN((u64)USER_ADDRESS_END, HUGE_SIZE);

		if (at < end)
			f->zones[f->zone_count++] = (struct boot_range){at, end};
		if (i < all.count)
			at = all.at[i].end;
	}
	return 0;
}
