/* SPDX-License-Identifier: ISC */
/*
 * What several memory objects may have together, outside their runs: pages, taken before they are
 * allocated and given back after they were freed. A member that dies in between leaves them
 * counted.
 */
#ifndef KERNEL_KIN_QUOTA_H
#define KERNEL_KIN_QUOTA_H

#include "kernel/kin/kin_core.h"

struct kin_quota {
	u64 pages_max;     /* no lock: constant */
	_Atomic u64 pages;
};

void object_bound(struct kin_object *o, struct kin_quota *quota); /* before its first page */

#endif
