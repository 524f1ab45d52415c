/* SPDX-License-Identifier: ISC */
/*
 * Puts the vDSO (kernel/time/vdso/) where the auxiliary vector says it is: once per VM; clones have
 * it already.
 */
#include "abi/layout.h"
#include "kernel/lib/lib.h"
#include "kernel/time/time.h"

extern const char vdso_image_start[], vdso_image_end[];

static bool mapped;

u64 vdso_map(void)
{
	size_t size = (size_t)(vdso_image_end - vdso_image_start);

	if (!mapped) {
		kassert(size <= VDSO_SIZE);
		memcpy((void *)VDSO_ADDR, vdso_image_start, size);
		mapped = true;
	}
	return VDSO_ADDR;
}
