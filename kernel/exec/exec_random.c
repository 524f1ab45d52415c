/* SPDX-License-Identifier: ISC */
/*
 * Where a new program lies: chosen afresh by every exec, unless personality(2) has
 * ADDR_NO_RANDOMIZE. The process backend has room for as many random bits as Linux. On kvm a place
 * outside the memory slots that every VM has from its start (SLOTS_AT_BOOT) costs exits in this
 * exec and time in every later fork, so everything moves only within their chunks: what is added
 * to an address here leaves a small program in them.
 */
#include <linux/personality.h>

#include "kernel/exec/exec.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm_internal.h"
#include "kernel/proc/proc.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define HEAP_ROOM (2 * MIB)         /* kvm: of a small program's heap, in the chunk */
#define BRK_SPREAD (32 * MIB)       /* Linux's */
#define SP_SPREAD (8 << 10)         /* Linux's: the lowest bits of the stack pointer */

/* How far things may move: bytes. */
struct spread {
	u64 stack, mmap, program, brk;
};

static const struct spread wide = {16 * GIB, 64 * GIB, 32 * GIB, BRK_SPREAD};

/* program: what the segments take; the rest of its chunk is for its place, the heap's and heap. */
static struct spread spread_in_chunks(const struct exec_image *image)
{
	const struct elf_layout *l = &image->program.layout;
	struct spread s = {MIB, 2 * MIB, 0, BRK_SPREAD / 32};
	u64 taken = (image->program.header.dyn ? l->high - l->low : 0) + HEAP_ROOM;

	if (taken < SLOT_BLOCK) {
		s.brk = (SLOT_BLOCK - taken) / (image->program.header.dyn ? 4 : 1);
		s.program = SLOT_BLOCK - taken - s.brk;
	} else {
		s.program = 2 * MIB; /* it needs slots of its own anyway */
	}
	return s;
}

static u64 pick(u64 random, u64 spread, u64 align)
{
	return spread ? ALIGN_DOWN(random % spread, align) : 0;
}

void exec_random_draw(struct exec_random *r, const struct exec_image *image)
{
	struct spread s = BOOT_INFO->backend == BACKEND_KVM ? spread_in_chunks(image) : wide;
	u64 align = MAX(PAGE_SIZE, MIN(image->program.layout.align, EXEC_ALIGN_MAX));
	struct {
		u8 auxv[sizeof(r->auxv)];
		u64 word[5];
	} bits;

	memset(r, 0, sizeof(*r));
	host_random(&bits, sizeof(bits));
	memcpy(r->auxv, bits.auxv, sizeof(r->auxv));
	if (current->proc->kp->inherited.personality & ADDR_NO_RANDOMIZE)
		return;
	r->stack = pick(bits.word[0], s.stack, PAGE_SIZE);
	r->sp = pick(bits.word[1], SP_SPREAD, 16);
	r->mmap = pick(bits.word[2], s.mmap, PAGE_SIZE);
	r->program = image->program.header.dyn ? pick(bits.word[3], s.program, align) : 0;
	r->brk = pick(bits.word[4], s.brk, PAGE_SIZE);
}
