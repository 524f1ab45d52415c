/* SPDX-License-Identifier: ISC */
/* What the compiler calls where the baseline processor has no instruction for it. */
#include "common/types.h"

int __popcountdi2(s64 value);

/* Sums of bits in fields of 2, 4, then 8 bits; the product adds the bytes up. */
int __popcountdi2(s64 value)
{
	u64 v = (u64)value;

	v -= v >> 1 & 0x5555555555555555ull;
	v = (v & 0x3333333333333333ull) + (v >> 2 & 0x3333333333333333ull);
	v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (int)(v * 0x0101010101010101ull >> 56);
}
