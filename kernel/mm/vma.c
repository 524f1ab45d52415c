/* SPDX-License-Identifier: ISC */
/*
 * The tree of VMAs: insertion with merging, splitting, and the search for free places. Knows
 * nothing of pages. A change is prepared by vma_reserve, after which it cannot fail.
 */
#include "kernel/mm/mm_internal.h"
#include "kernel/task/thread.h"

#include <asm/errno.h>
#include <linux/mman.h>

#include "kernel/lib/lib.h"

static int vma_cmp(const struct vma *a, const struct vma *b)
{
	return a->start < b->start ? -1 : a->start > b->start;
}

RB_GENERATE_INTERNAL(vma_tree, vma, node, vma_cmp, static __attribute__((unused)))

int vma_reserve(struct mm *mm, u32 n)
{
	kassert(n <= ARRAY_SIZE(mm->spare));
	for (u32 i = 0; i < n; i++) {
		if (!mm->spare[i])
			mm->spare[i] = kmalloc(sizeof(struct vma));
		if (!mm->spare[i])
			return -ENOMEM;
	}
	return 0;
}

static struct vma *vma_alloc(struct mm *mm)
{
	for (u32 i = 0; i < ARRAY_SIZE(mm->spare); i++) {
		struct vma *v = mm->spare[i];

		if (v) {
			mm->spare[i] = NULL;
			return v;
		}
	}
	kpanic("a mapping was not reserved");
}

static void vma_free(struct mm *mm, struct vma *v)
{
	for (u32 i = 0; i < ARRAY_SIZE(mm->spare); i++) {
		if (!mm->spare[i]) {
			mm->spare[i] = v;
			return;
		}
	}
	kfree(v);
}

struct vma *vma_first(struct mm *mm, u64 addr)
{
	struct vma *n = RB_ROOT(&mm->vmas), *best = NULL;

	while (n) {
		if (n->end > addr) {
			best = n;
			n = RB_LEFT(n, node);
		} else {
			n = RB_RIGHT(n, node);
		}
	}
	return best;
}

struct vma *mm_find(struct mm *mm, u64 addr)
{
	struct vma *v = vma_first(mm, addr);

	return v && v->start <= addr ? v : NULL;
}

struct vma *vma_next(struct vma *v)
{
	return RB_NEXT(vma_tree, NULL, v);
}

struct vma *vma_prev(struct vma *v)
{
	return RB_PREV(vma_tree, NULL, v);
}

bool vma_range_free(struct mm *mm, u64 start, u64 end)
{
	struct vma *v = vma_first(mm, start);

	return !v || v->start >= end;
}

static void *vma_thing(const struct vma *v)
{
	return v->object ? (void *)v->object : (void *)v->file;
}

static bool vma_alike(const struct vma *low, const struct vma *high)
{
	if (low->end != high->start || low->prot != high->prot || low->flags != high->flags)
		return false;
	if (low->file != high->file || low->object != high->object || low->flags & VMA_SPECIAL)
		return false;
	return !vma_thing(low) || low->offset + (low->end - low->start) == high->offset;
}

static void holdings_dup(const struct vma *v)
{
	if (v->object)
		holding_dup(v->object);
	if (v->file)
		holding_dup(v->file);
}

void vma_remove(struct mm *mm, struct vma *v)
{
	RB_REMOVE(vma_tree, &mm->vmas, v);
	mm->vma_count--;
	mm->total_pages -= (v->end - v->start) / PAGE_SIZE;
	mm_mirror(mm);
	if (v->object)
		holding_drop(v->object);
	if (v->file)
		holding_drop(v->file);
	vma_free(mm, v);
}

/* Melts high into low; they are alike. */
static void vma_join(struct mm *mm, struct vma *low, struct vma *high)
{
	u64 end = high->end;

	vma_remove(mm, high);
	vma_resize(mm, low, low->start, end);
}

struct vma *vma_merge(struct mm *mm, struct vma *v)
{
	struct vma *other = vma_next(v);

	if (other && vma_alike(v, other))
		vma_join(mm, v, other);
	other = vma_prev(v);
	if (other && vma_alike(other, v)) {
		vma_join(mm, other, v);
		v = other;
	}
	return v;
}

static void vma_link(struct mm *mm, struct vma *v)
{
	struct vma *clash = RB_INSERT(vma_tree, &mm->vmas, v);

	kassert(!clash);
	mm->vma_count++;
}

struct vma *vma_insert(struct mm *mm, const struct vma *model)
{
	struct vma *v = vma_alloc(mm);

	*v = *model;
	vma_link(mm, v);
	mm->total_pages += (v->end - v->start) / PAGE_SIZE;
	mm_mirror(mm);
	return vma_merge(mm, v);
}

struct vma *vma_split(struct mm *mm, struct vma *v, u64 addr)
{
	struct vma *high = vma_alloc(mm);

	kassert(v->start < addr && addr < v->end);
	*high = *v;
	high->start = addr;
	if (vma_thing(v))
		high->offset += addr - v->start;
	holdings_dup(v);
	v->end = addr;
	vma_link(mm, high);
	return high;
}

void vma_resize(struct mm *mm, struct vma *v, u64 start, u64 end)
{
	mm->total_pages += (end - start) / PAGE_SIZE - (v->end - v->start) / PAGE_SIZE;
	v->start = start;
	v->end = end;
	mm_mirror(mm);
}

static bool overlaps(u64 start, u64 end, u64 other_start, u64 other_end)
{
	return start < other_end && other_start < end;
}

u32 mm_hidden(const struct hidden **list)
{
	static struct hidden all[2 + BOOT_ZONES]; /* what the monitor said at boot */
	static u32 count;
	u64 at = PRIVATE_END;

	*list = all;
	if (count)
		return count;
	all[count++] = (struct hidden){KERNEL_BASE, KERNEL_END};
	for (u32 i = 0; i < BOOT_INFO->zone_count; i++) {
		if (at < BOOT_INFO->zones[i].start)
			all[count++] = (struct hidden){at, BOOT_INFO->zones[i].start};
		at = BOOT_INFO->zones[i].end;
	}
	if (at < USER_ADDRESS_END)
		all[count++] = (struct hidden){at, USER_ADDRESS_END};
	return count;
}

/* The first hidden range that [start, end) overlaps, or NULL. */
static const struct hidden *hidden_in(u64 start, u64 end)
{
	const struct hidden *h;
	u32 n = mm_hidden(&h);

	for (u32 i = 0; i < n; i++)
		if (overlaps(start, end, h[i].start, h[i].end))
			return &h[i];
	return NULL;
}

bool range_allowed(u64 addr, u64 len, bool accessible)
{
	u64 end = addr + len;

	if (addr < PRIVATE_BASE || len > USER_ADDRESS_END || addr > USER_ADDRESS_END - len)
		return false;
	if (!accessible)
		return !overlaps(addr, end, KERNEL_BASE, KERNEL_END);
	return !hidden_in(addr, end);
}

u64 range_above(u64 addr, u64 len, u64 align)
{
	const struct hidden *h;

	while ((h = hidden_in(addr, addr + len)))
		addr = ALIGN_UP(h->end, align);
	return addr;
}

u64 range_below(u64 end, u64 len)
{
	const struct hidden *h;

	while ((h = hidden_in(end - len, end)))
		end = h->start;
	return end;
}

/* Highest aligned place in [low, high), or 0. */
static u64 fit(u64 low, u64 high, u64 len, u64 align)
{
	u64 addr;

	if (high < low || high - low < len)
		return 0;
	addr = ALIGN_DOWN(high - len, align);
	return addr >= low ? addr : 0;
}

/* The same, but never in what is hidden. */
static u64 fit_outside(u64 low, u64 high, u64 len, u64 align)
{
	const struct hidden *h;
	u64 addr;

	for (u32 n = mm_hidden(&h); n > 0 && h[n - 1].end > low; n--) {
		if (h[n - 1].start >= high)
			continue;
		addr = fit(MAX(low, h[n - 1].end), high, len, align);
		if (addr)
			return addr;
		high = h[n - 1].start;
	}
	return fit(low, high, len, align);
}

/* Last VMA that starts below addr. */
static struct vma *vma_below(struct mm *mm, u64 addr)
{
	struct vma *n = RB_ROOT(&mm->vmas), *best = NULL;

	while (n) {
		if (n->start < addr) {
			best = n;
			n = RB_RIGHT(n, node);
		} else {
			n = RB_LEFT(n, node);
		}
	}
	return best;
}

u64 vma_gap(struct mm *mm, u64 len, u64 align, u64 bottom, u64 top)
{
	struct vma *v = vma_below(mm, top);
	u64 high = top, addr;

	while (high > bottom) {
		addr = fit_outside(v ? MAX(v->end, bottom) : bottom, high, len, align);
		if (addr)
			return addr;
		if (!v)
			break;
		high = MIN(high, v->start);
		if (v->flags & VMA_GROWSDOWN)
			high -= MIN(high, STACK_GUARD);
		v = vma_prev(v);
	}
	return 0;
}

u64 mm_rlimit(u32 which)
{
	return current->proc->kp->inherited.rlimit_cur[which];
}
