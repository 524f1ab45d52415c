/* SPDX-License-Identifier: ISC */
/* Hypercalls made by this member. Private; cloned by a fork. */
#ifndef KERNEL_HOST_HYPERCALL_COUNTS_H
#define KERNEL_HOST_HYPERCALL_COUNTS_H

#include "abi/hypercall.h"

extern u64 host_counts[HYPERCALL_COUNT];
extern u64 host_calls; /* all of them */

#endif
