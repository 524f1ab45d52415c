/* SPDX-License-Identifier: ISC */
/*
 * Where a new program lies: chosen afresh by every exec, unless personality(2) has
 * ADDR_NO_RANDOMIZE, with as many random bits as on Linux. In the process backend what would meet
 * the host's own things lies next to them.
 */
#include <linux/personality.h>

#include "kernel/exec/exec.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm_internal.h"
#include "kernel/proc/proc.h"

/* Linux's, in bytes. */
#define STACK_SPREAD (16ull << 30)
#define MMAP_SPREAD (1ull << 40)    /* 28 bits of pages */
#define PROGRAM_SPREAD (1ull << 40)
#define BRK_SPREAD (32ull << 20)
#define SP_SPREAD (8 << 10)         /* the lowest bits of the stack pointer */

static u64 pick(u64 random, u64 spread, u64 align)
{
	return spread ? ALIGN_DOWN(random % spread, align) : 0;
}

void exec_random_draw(struct exec_random *r, const struct exec_image *image)
{
	u64 align = MAX(PAGE_SIZE, MIN(image->program.layout.align, EXEC_ALIGN_MAX));
	struct {
		u8 auxv[sizeof(r->auxv)];
		u64 word[5];
	} bits;

	memset(r, 0, sizeof(*r));
	host_random(&bits, sizeof(bits));
	memcpy(r->auxv, bits.auxv, sizeof(r->auxv));
	r->fixed = current->proc->kp->inherited.personality & ADDR_NO_RANDOMIZE;
	if (r->fixed)
		return;
	r->stack = pick(bits.word[0], STACK_SPREAD, PAGE_SIZE);
	r->sp = pick(bits.word[1], SP_SPREAD, 16);
	r->mmap = pick(bits.word[2], MMAP_SPREAD, PAGE_SIZE);
	r->program = image->program.header.dyn ? pick(bits.word[3], PROGRAM_SPREAD, align) : 0;
	r->brk = pick(bits.word[4], BRK_SPREAD, PAGE_SIZE);
}
