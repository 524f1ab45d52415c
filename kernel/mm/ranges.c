/* SPDX-License-Identifier: ISC */
/* Disjoint intervals in a red-black tree ordered by start; intervals never touch each other. */
#include "kernel/mm/ranges.h"

#include <asm/errno.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"

static int range_cmp(const struct range *a, const struct range *b)
{
	return a->start < b->start ? -1 : a->start > b->start;
}

RB_GENERATE_INTERNAL(range_tree, range, node, range_cmp, static __attribute__((unused)))

int ranges_reserve(struct ranges *r, u32 operations)
{
	while (r->spares < operations) {
		struct range *n = kmalloc(sizeof(*n));

		if (!n)
			return -ENOMEM;
		n->next = r->spare;
		r->spare = n;
		r->spares++;
	}
	return 0;
}

static void range_insert(struct ranges *r, u64 start, u64 end)
{
	struct range *n = r->spare;

	if (n) {
		r->spare = n->next;
		r->spares--;
	} else {
		n = kmalloc(sizeof(*n));
		if (!n)
			kpanic("out of kernel memory for a list of page ranges");
	}
	n->start = start;
	n->end = end;
	RB_INSERT(range_tree, &r->tree, n);
	r->bytes += end - start;
}

static void range_delete(struct ranges *r, struct range *n)
{
	RB_REMOVE(range_tree, &r->tree, n);
	r->bytes -= n->end - n->start;
	if (r->spares < 4) {
		n->next = r->spare;
		r->spare = n;
		r->spares++;
	} else {
		kfree(n);
	}
}

/* The first interval that ends after addr (at_least: at addr or after), or NULL. */
static struct range *range_after(struct ranges *r, u64 addr, bool touching)
{
	struct range *n = RB_ROOT(&r->tree), *best = NULL;

	while (n) {
		if (n->end > addr || (touching && n->end == addr)) {
			best = n;
			n = RB_LEFT(n, node);
		} else {
			n = RB_RIGHT(n, node);
		}
	}
	return best;
}

void ranges_add(struct ranges *r, u64 start, u64 end)
{
	struct range *n, *first;

	if (start >= end)
		return;
	first = range_after(r, start, true);
	if (!first || first->start > end) {
		range_insert(r, start, end);
		return;
	}
	/* Melt all that touch into the first; its place in the order does not change. */
	while ((n = RB_NEXT(range_tree, &r->tree, first)) && n->start <= end) {
		end = MAX(end, n->end);
		range_delete(r, n);
	}
	r->bytes -= first->end - first->start;
	first->start = MIN(first->start, start);
	first->end = MAX(first->end, end);
	r->bytes += first->end - first->start;
}

void ranges_remove(struct ranges *r, u64 start, u64 end)
{
	struct range *n, *next;

	if (start >= end)
		return;
	for (n = range_after(r, start, false); n && n->start < end; n = next) {
		next = RB_NEXT(range_tree, &r->tree, n);
		if (n->start >= start && n->end <= end) {
			range_delete(r, n);
		} else if (n->start < start) {
			u64 old_end = n->end;

			r->bytes -= old_end - start;
			n->end = start;
			if (old_end > end)
				range_insert(r, end, old_end);
		} else {
			r->bytes -= end - n->start;
			n->start = end;
		}
	}
}

bool ranges_next(struct ranges *r, u64 start, u64 end, u64 *s, u64 *e)
{
	struct range *n = range_after(r, start, false);

	if (!n || n->start >= end || start >= end)
		return false;
	*s = MAX(n->start, start);
	*e = MIN(n->end, end);
	return true;
}

bool ranges_next_gap(struct ranges *r, u64 start, u64 end, u64 *s, u64 *e)
{
	struct range *n = range_after(r, start, false);

	if (n && n->start <= start) {
		start = n->end;
		n = RB_NEXT(range_tree, &r->tree, n);
	}
	if (start >= end)
		return false;
	*s = start;
	*e = n ? MIN(n->start, end) : end;
	return true;
}

void ranges_clear(struct ranges *r)
{
	struct range *n;

	while ((n = RB_MIN(range_tree, &r->tree)))
		range_delete(r, n);
}
