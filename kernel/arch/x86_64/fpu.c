/* SPDX-License-Identifier: ISC */
/*
 * FPU, SSE and AVX state of the application, and its FS and GS bases. The kernel never uses them,
 * so that they stay in the registers until another thread runs. Format: XSAVE standard format
 * (Intel SDM volume 1, chapter 13).
 */
#include <asm/errno.h>

#include "kernel/arch/x86_64/arch_internal.h"
#include "kernel/lib/lib.h"

#define LEGACY_SIZE 512
#define HEADER_SIZE 64
#define MXCSR_DEFAULT 0x1f80u
#define MXCSR_MASK 0xffffu
#define FCW_DEFAULT 0x037f

struct xsave_legacy {
	u16 fcw, fsw;
	u8 ftw, reserved;
	u16 fop;
	u64 fip, fdp;
	u32 mxcsr, mxcsr_mask;
};

struct xsave_header {
	u64 xstate_bv, xcomp_bv;
	u64 reserved[6];
};

static struct xsave_header *header(void *area)
{
	return (struct xsave_header *)((char *)area + LEGACY_SIZE);
}

void fpu_save(void *area)
{
	u64 mask = BOOT_INFO->xsave_mask;
	struct xsave_header *h = header(area);

	/* XSAVE keeps what it finds in the rest of the header. */
	h->xcomp_bv = 0;
	for (u32 i = 0; i < ARRAY_SIZE(h->reserved); i++)
		h->reserved[i] = 0;
	__asm__ volatile("xsave64 (%0)"
			 :
			 : "r"(area), "a"((u32)mask), "d"((u32)(mask >> 32))
			 : "memory");
}

void fpu_restore(const void *area)
{
	u64 mask = BOOT_INFO->xsave_mask;

	__asm__ volatile("xrstor64 (%0)"
			 :
			 : "r"(area), "a"((u32)mask), "d"((u32)(mask >> 32))
			 : "memory");
}

/* Whatever XRSTOR would fault on is refused or, as Linux does, masked. */
int fpu_area_sanitize(void *area, u32 size)
{
	struct xsave_header *h = header(area);
	struct xsave_legacy *l = area;

	if (size < LEGACY_SIZE + HEADER_SIZE || size < BOOT_INFO->xsave_size || (u64)area % 64)
		return -EINVAL;
	if (h->xcomp_bv || (l->mxcsr & ~MXCSR_MASK))
		return -EINVAL;
	for (u32 i = 0; i < ARRAY_SIZE(h->reserved); i++)
		if (h->reserved[i])
			return -EINVAL;
	h->xstate_bv &= BOOT_INFO->xsave_mask;
	return 0;
}

void fpu_reset(void *area)
{
	struct xsave_legacy *l = area;

	memset(area, 0, BOOT_INFO->xsave_size);
	l->fcw = FCW_DEFAULT;
	l->mxcsr = MXCSR_DEFAULT;
	l->mxcsr_mask = MXCSR_MASK;
}

/*
 * The bases. Where the processor or its kernel offers no FSGSBASE (process backend only) the
 * monitor sets FS for us, what was set is remembered here, and GS stays the host's.
 */
static u64 fs_set, gs_set;

static bool have_fsgsbase(void)
{
	return BOOT_INFO->flags & BOOT_FSGSBASE;
}

u64 fsbase_get(void)
{
	u64 base = fs_set;

	if (have_fsgsbase())
		__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

void fsbase_set(u64 base)
{
	if (have_fsgsbase()) {
		__asm__ volatile("wrfsbase %0" : : "r"(base));
		return;
	}
	fs_set = base;
	((void (*)(u64))BOOT_INFO->set_fsbase)(base);
}

u64 gsbase_get(void)
{
	u64 base = gs_set;

	if (have_fsgsbase())
		__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

void gsbase_set(u64 base)
{
	gs_set = base;
	if (have_fsgsbase())
		__asm__ volatile("wrgsbase %0" : : "r"(base));
}
