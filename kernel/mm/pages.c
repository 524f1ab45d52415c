/* SPDX-License-Identifier: ISC */
/*
 * Pages of the kernel heap: KERNEL_HEAP..KERNEL_HEAP_END, mapped and zero when the kernel starts;
 * memory is what was touched. A bitmap, first fit from the bottom, so that a small program's kernel
 * touches few pages. Needs no initialisation: the page tables come from here. No lock (see mm.h).
 */
#include "kernel/arch/arch.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"

#define HEAP_PAGES ((KERNEL_HEAP_END - KERNEL_HEAP) / PAGE_SIZE)

static u64 used_map[HEAP_PAGES / 64];
static u32 used_hint;   /* no free page below */
static u32 backed = (KERNEL_HEAP_BOOT - KERNEL_HEAP) / PAGE_SIZE; /* have memory behind them */
static u32 used_high;   /* pages from here on were never handed out: they are zero */

static bool page_used(u32 page)
{
	return used_map[page / 64] >> (page % 64) & 1;
}

static void pages_mark(u32 first, u32 n, bool used)
{
	for (u32 page = first; page < first + n; page++) {
		u64 bit = 1ull << (page % 64);

		kassert(!(used_map[page / 64] & bit) == used);
		used_map[page / 64] ^= bit;
	}
}

/* First page of a free run of n, or HEAP_PAGES. */
static u32 pages_find(u32 n)
{
	u32 run = 0;

	for (u32 page = used_hint; page < HEAP_PAGES; page++) {
		if (page % 64 == 0 && used_map[page / 64] == ~0ull) {
			run = 0;
			page += 63;
		} else if (page_used(page)) {
			run = 0;
		} else if (++run == n) {
			return page + 1 - n;
		}
	}
	return HEAP_PAGES;
}

static bool heap_grow(u32 pages)
{
	if (paging->heap_populate(KERNEL_HEAP + (u64)backed * PAGE_SIZE,
							  (u64)(pages - backed) * PAGE_SIZE) < 0)
		return false;
	backed = pages;
	return true;
}

void *kpages_alloc(size_t npages)
{
	u32 first, n = (u32)npages;
	char *p;

	if (npages == 0 || npages > HEAP_PAGES)
		return NULL;
	first = pages_find(n);
	if (first == HEAP_PAGES)
		return NULL;
	if (first + n > backed && !heap_grow(first + n))
		return NULL;
	pages_mark(first, n, true);
	if (first == used_hint)
		used_hint = first + n;
	p = (char *)KERNEL_HEAP + (size_t)first * PAGE_SIZE;
	if (first < used_high)
		memset(p, 0, MIN(n, used_high - first) * PAGE_SIZE);
	used_high = MAX(used_high, first + n);
	return p;
}

void kpages_free(void *p, size_t npages)
{
	u64 first = ((u64)p - KERNEL_HEAP) / PAGE_SIZE;

	if (!p)
		return;
	kassert((u64)p % PAGE_SIZE == 0 && (u64)p >= KERNEL_HEAP && npages <= HEAP_PAGES &&
		first + npages <= HEAP_PAGES);
	pages_mark((u32)first, (u32)npages, false);
	used_hint = MIN(used_hint, (u32)first);
}
