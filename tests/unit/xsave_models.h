/* SPDX-License-Identifier: ISC */
/*
 * XSAVE of processors that are not at hand: XCR0, and the components' sizes and offsets in the
 * standard format, as CPUID leaf 0xd of that kind of processor tells them.
 */
#ifndef TESTS_UNIT_XSAVE_MODELS_H
#define TESTS_UNIT_XSAVE_MODELS_H

#include "common/types.h"
#include "monitor/backend/process/xsave.h"

struct xsave_model {
	const char *name;
	u64 xcr0;
	u64 permitted;  /* what Linux lets a process use that has not asked; 0: Linux before 5.16 */
	u64 usable;     /* expected */
	u32 size;       /* expected, of an area for that */
	u32 size_xcr0;  /* of an area for all that XCR0 has */
	struct xsave_component components[XSAVE_COMPONENTS];
};

#define XSAVE_AVX [2] = {256, 576}
#define XSAVE_AVX512_INTEL [5] = {64, 1088}, [6] = {512, 1152}, [7] = {1024, 1664}
#define XSAVE_PKRU_INTEL [9] = {8, 2688}
#define XSAVE_AMX [17] = {64, 2752}, [18] = {8192, 2816}

static const struct xsave_model xsave_models[] = {
	{"SSE only", 0x3, 0x3, 0x3, 576, 576, {{0}}},
	{"AVX", 0x7, 0x7, 0x7, 832, 832, {XSAVE_AVX}},
	{"AVX, bounds registers", 0x1f, 0x1f, 0x1f, 1088, 1088,
	 {XSAVE_AVX, [3] = {64, 960}, [4] = {64, 1024}}},
	{"AVX-512", 0xe7, 0xe7, 0xe7, 2688, 2688, {XSAVE_AVX, XSAVE_AVX512_INTEL}},
	{"AVX-512, protection keys", 0x2e7, 0x2e7, 0x2e7, 2696, 2696,
	 {XSAVE_AVX, XSAVE_AVX512_INTEL, XSAVE_PKRU_INTEL}},
	{"AVX-512 of AMD", 0x2e7, 0x2e7, 0x2e7, 2440, 2440,
	 {XSAVE_AVX, [5] = {64, 832}, [6] = {512, 896}, [7] = {1024, 1408}, [9] = {8, 2432}}},
	{"AMX", 0x602e7, 0x202e7, 0x202e7, 2816, 11008,
	 {XSAVE_AVX, XSAVE_AVX512_INTEL, XSAVE_PKRU_INTEL, XSAVE_AMX}},
	{"AMX, no answer from Linux", 0x602e7, 0, 0x2e7, 2696, 11008,
	 {XSAVE_AVX, XSAVE_AVX512_INTEL, XSAVE_PKRU_INTEL, XSAVE_AMX}},
	{"AMX, permitted", 0x602e7, 0x602e7, 0x602e7, 11008, 11008,
	 {XSAVE_AVX, XSAVE_AVX512_INTEL, XSAVE_PKRU_INTEL, XSAVE_AMX}},
};

#endif
