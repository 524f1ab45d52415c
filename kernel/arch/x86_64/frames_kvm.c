/* SPDX-License-Identifier: ISC */
/*
 * kvm: which memory lies behind an application's addresses. Guest-physical memory [FRAMES_BASE,
 * FRAMES_END) is divided into frames of 2 MiB. A granule, 2 MiB of virtual addresses, is bound to
 * a frame when something in it is mapped first, and to the same one until nothing in it is mapped
 * any more; the place within the 2 MiB is the same on both sides. So an address is translated by
 * one look into a table, large pages fit, and programs may lie anywhere in 47 bits while the
 * memory slots stay few and together.
 *
 * Frames are chosen so that neighbours in one space are neighbours in the other, because the
 * monitor is told about whole runs. What every program has lies in the frames that have a slot from
 * the start: mappings from their upper end down, program and heap and stack from the lower end up.
 *
 * A fork copies all of this. No lock (see mm.h).
 */
#include <asm/errno.h>

#include "kernel/arch/x86_64/frames_kvm.h"
#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"

#define FRAMES ((FRAMES_END - FRAMES_BASE) / HUGE_SIZE)
#define FRAMES_LOW ((FRAMES_BOOT - FRAMES_BASE) / HUGE_SIZE) /* from here on: slots at boot */
#define TABLE_FIRST 512
/* The area that Linux gives to the main thread's stack; mappings lie below it. */
#define STACKS_BASE (USER_ADDRESS_END - (1ull << 34))
#define MAPPINGS_BASE (1ull << 46)

/* Entries: granule << 32 | PINNED | frame + 1; 0: free. Open addressing. */
#define PINNED (1ull << 31)
#define FRAME_MASK (PINNED - 1)

static u64 first_table[TABLE_FIRST];
static u64 *table = first_table;
static u64 table_size = TABLE_FIRST, table_used;
static u64 used[(FRAMES + 63) / 64];
static u64 dirty[(FRAMES + 63) / 64]; /* used, by nobody: not yet given back to the host */
static u64 dirty_low = FRAMES, dirty_high; /* where they are */
static u64 lowest = FRAMES; /* no frame below is in use */

static u64 slot_of(u64 granule)
{
	return (granule * 0x9e3779b97f4a7c15ull >> 20) & (table_size - 1);
}

static u64 *entry_find(u64 granule)
{
	for (u64 i = slot_of(granule);; i = (i + 1) & (table_size - 1)) {
		if (!table[i])
			return NULL;
		if (table[i] >> 32 == granule)
			return &table[i];
	}
}

static void entry_put(u64 entry)
{
	u64 i = slot_of(entry >> 32);

	while (table[i])
		i = (i + 1) & (table_size - 1);
	table[i] = entry;
}

/* Room for n more entries at half load. */
static int table_grow(u64 n)
{
	u64 size = table_size, old_size = table_size, *old = table, *fresh;

	if ((table_used + n) * 2 <= size)
		return 0;
	while ((table_used + n) * 2 > size)
		size *= 2;
	fresh = kpages_alloc(size * sizeof(*table) / PAGE_SIZE);
	if (!fresh)
		return -ENOMEM;
	table = fresh;
	table_size = size;
	for (u64 i = 0; i < old_size; i++)
		if (old[i])
			entry_put(old[i]);
	if (old != first_table)
		kpages_free(old, old_size * sizeof(*table) / PAGE_SIZE);
	return 0;
}

/* What follows in the same chain moves up. */
static void entry_remove(u64 *e)
{
	u64 hole = (u64)(e - table), i = hole;

	for (;;) {
		i = (i + 1) & (table_size - 1);
		if (!table[i])
			break;
		u64 home = slot_of(table[i] >> 32);
		if (((i - home) & (table_size - 1)) >= ((i - hole) & (table_size - 1))) {
			table[hole] = table[i];
			hole = i;
		}
	}
	table[hole] = 0;
	table_used--;
}

static bool frame_in(const u64 *set, u64 f)
{
	return set[f / 64] >> (f % 64) & 1;
}

static void frame_mark(u64 *set, u64 f, bool in)
{
	u64 bit = 1ull << (f % 64);

	set[f / 64] = in ? set[f / 64] | bit : set[f / 64] & ~bit;
}

static bool frames_free(u64 first, u64 n)
{
	for (u64 f = first; f < first + n; f++)
		if (f >= FRAMES || frame_in(used, f))
			return false;
	return true;
}

/* The lowest (or highest) run of n free frames in [low, high); FRAMES: none. */
static u64 run_up(u64 low, u64 high, u64 n)
{
	for (u64 f = low, run = 0; f < high; f++) {
		run = frame_in(used, f) ? 0 : run + 1;
		if (run == n)
			return f + 1 - n;
	}
	return FRAMES;
}

static u64 run_down(u64 low, u64 high, u64 n)
{
	for (u64 f = high, run = 0; f > low; f--) {
		if (f % 64 == 0 && used[f / 64 - 1] == ~0ull) {
			run = 0;
			f -= 63;
			continue;
		}
		run = frame_in(used, f - 1) ? 0 : run + 1;
		if (run == n)
			return f - 1;
		/* nothing in use below: the rest is one run */
		if (f - 1 <= lowest && f - 1 + run >= low + n)
			return f - 1 + run - n;
	}
	return FRAMES;
}

static u64 bound_frame(u64 granule)
{
	u64 *e = entry_find(granule);

	return e ? (*e & FRAME_MASK) - 1 : FRAMES;
}

/* Where n granules from first on go; FRAMES: nowhere. */
static u64 run_choose(u64 first, u64 n)
{
	u64 va = first * HUGE_SIZE, next = bound_frame(first + n), prev = bound_frame(first - 1), f;
	bool from_top = va >= MAPPINGS_BASE && va < STACKS_BASE;

	if (next != FRAMES && next >= n && frames_free(next - n, n))
		return next - n;
	if (prev != FRAMES && frames_free(prev + 1, n))
		return prev + 1;
	f = from_top ? run_down(FRAMES_LOW, FRAMES, n) : run_up(FRAMES_LOW, FRAMES, n);
	return f != FRAMES ? f : run_down(0, FRAMES_LOW, n);
}

static void run_bind(u64 first, u64 n, u64 frame)
{
	for (u64 i = 0; i < n; i++) {
		entry_put((first + i) << 32 | (frame + i + 1));
		frame_mark(used, frame + i, true);
	}
	table_used += n;
	lowest = MIN(lowest, frame);
}

s64 frames_bind(u64 va, u64 len)
{
	u64 g = va / HUGE_SIZE, end = (va + len + HUGE_SIZE - 1) / HUGE_SIZE, n, f;
	s64 bound = 0;

	if (table_grow(end - g))
		return -ENOMEM;
	for (; g < end; g += n) {
		n = 1;
		if (entry_find(g))
			continue;
		while (g + n < end && !entry_find(g + n))
			n++;
		/* Memory that is in pieces is used in pieces. */
		while ((f = run_choose(g, n)) == FRAMES && n > 1)
			n /= 2;
		if (f == FRAMES)
			return -ENOMEM;
		run_bind(g, n, f);
		bound += (s64)n;
	}
	return bound;
}

u64 frame_address(u64 va)
{
	u64 f = bound_frame(va / HUGE_SIZE);

	return f == FRAMES ? 0 : FRAMES_BASE + f * HUGE_SIZE + va % HUGE_SIZE;
}

void frame_pin(u64 va)
{
	u64 *e = entry_find(va / HUGE_SIZE);

	if (e)
		*e |= PINNED;
}

bool frame_release(u64 va, bool whole, bool clean)
{
	u64 *e = entry_find(va / HUGE_SIZE), f;

	if (!e || (*e & PINNED && !whole))
		return false;
	f = (*e & FRAME_MASK) - 1;
	entry_remove(e);
	if (clean) {
		frame_mark(used, f, false);
		return true;
	}
	frame_mark(dirty, f, true);
	dirty_low = MIN(dirty_low, f);
	dirty_high = MAX(dirty_high, f + 1);
	return true;
}

bool frames_next_dirty(u64 *pa, u64 *len)
{
	u64 f = dirty_low, end, stop;

	while (f < dirty_high && !frame_in(dirty, f))
		f++;
	if (f >= dirty_high) {
		dirty_low = FRAMES;
		dirty_high = 0;
		return false;
	}
	/* What is free lies between at no cost. */
	for (end = stop = f; stop < dirty_high; stop++) {
		if (frame_in(dirty, stop))
			end = stop + 1;
		else if (frame_in(used, stop))
			break;
	}
	for (u64 i = f; i < end; i++) {
		frame_mark(dirty, i, false);
		frame_mark(used, i, false);
	}
	dirty_low = end;
	*pa = FRAMES_BASE + f * HUGE_SIZE;
	*len = (end - f) * HUGE_SIZE;
	return true;
}

bool frames_next_run(u64 *va, u64 end, u64 *pa, u64 *len)
{
	while (*va < end) {
		u64 stop = MIN(end, ALIGN_DOWN(*va, HUGE_SIZE) + HUGE_SIZE);

		*pa = frame_address(*va);
		*len = stop - *va;
		if (!*pa) {
			*va = stop;
			continue;
		}
		while (stop < end && frame_address(stop) == *pa + *len) {
			u64 more = MIN(end - stop, HUGE_SIZE);

			*len += more;
			stop += more;
		}
		return true;
	}
	return false;
}
