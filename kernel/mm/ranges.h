/* SPDX-License-Identifier: ISC */
/*
 * A set of addresses, kept as disjoint half-open intervals in a tree; neighbours melt into one.
 * Used for the pages that have page-table entries and for those whose return to the host is
 * pending. Private memory, no lock.
 *
 * An operation needs at most one new node. ranges_reserve takes it beforehand, so that a caller can
 * check for memory first and then change several things without failing in between.
 */
#ifndef KERNEL_MM_RANGES_H
#define KERNEL_MM_RANGES_H

#include <bsd/sys/tree.h>

#include "common/types.h"

struct range {
	RB_ENTRY(range) node;
	u64 start, end;
	struct range *next; /* while spare */
};

struct ranges {
	RB_HEAD(range_tree, range) tree;
	struct range *spare;
	u32 spares;
	u64 bytes;          /* sum of all intervals */
};

int ranges_reserve(struct ranges *r, u32 operations); /* 0 or -ENOMEM */
/*
 * The operations below consume one reservation at most; without one they panic when memory is out.
 */
void ranges_add(struct ranges *r, u64 start, u64 end);
void ranges_remove(struct ranges *r, u64 start, u64 end);
/* First part of the set within [start, end): true and *s, *e, clipped. */
bool ranges_next(struct ranges *r, u64 start, u64 end, u64 *s, u64 *e);
/* First part of [start, end) that is not in the set. */
bool ranges_next_gap(struct ranges *r, u64 start, u64 end, u64 *s, u64 *e);
void ranges_clear(struct ranges *r);

#endif
