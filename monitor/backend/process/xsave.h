/* SPDX-License-Identifier: ISC */
/*
 * Which parts of the processor's state applications may use, and how large an XSAVE area they need.
 * Pure: the processor's and the host's answers are passed in.
 */
#ifndef MONITOR_BACKEND_PROCESS_XSAVE_H
#define MONITOR_BACKEND_PROCESS_XSAVE_H

#include "common/types.h"

#define XSAVE_COMPONENTS 63
#define XSAVE_LEGACY_SIZE 576 /* x87, SSE and the header */

/* Bytes and offset in the standard format, by component (CPUID leaf 0xd; 0 and 1 are unused). */
struct xsave_component {
	u32 size, offset;
};

/*
 * The components of XCR0 that may be used without asking. permitted: the host's answer to
 * ARCH_GET_XCOMP_PERM, or 0 from a host that does not know the question; then the tiles of AMX,
 * which need a permission for each process, are left out.
 */
u64 xsave_usable(u64 xcr0, u64 permitted);

/* Of an area for these components, in the standard format (Intel SDM volume 1, 13.4). */
u32 xsave_size(u64 mask, const struct xsave_component components[XSAVE_COMPONENTS]);

#endif
