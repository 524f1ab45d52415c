/* SPDX-License-Identifier: ISC */
/* XSAVE areas, see xsave.h. */
#include "monitor/backend/process/xsave.h"

#define XCR0_AMX (3ull << 17)
#define XCR0_BASIC 3ull

u64 xsave_usable(u64 xcr0, u64 permitted)
{
	return xcr0 & ((permitted ? permitted : ~XCR0_AMX) | XCR0_BASIC);
}

u32 xsave_size(u64 mask, const struct xsave_component components[XSAVE_COMPONENTS])
{
	u32 size = XSAVE_LEGACY_SIZE;

	for (u32 i = 2; i < XSAVE_COMPONENTS; i++)
		if (mask >> i & 1)
			size = MAX(size, components[i].size + components[i].offset);
	return size;
}
