/* SPDX-License-Identifier: ISC */
/*
 * --memory, from inside: members draw on the family's credit before anonymous memory becomes
 * accessible, so that a program that fills fresh memory meets the limit and not what the supervisor
 * sees of it some time later. The credit is what the last exact look left over; a member that finds
 * too little asks for a look, which stops everybody, counts what was really touched, kills if that
 * is too much, and sets the credit anew. So nothing drawn is ever lost for longer, neither by a
 * death nor by memory that was made accessible and not touched.
 *
 * Pages that a fork shares and a write copies come from the host alone: the supervisor watches
 * over them. Without --memory all this is one comparison.
 */
#include <stdatomic.h>

#include "kernel/host/host.h"
#include "kernel/kin/kin_core.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm_internal.h"

#define PIECE (64ul << 10)            /* the smallest chunk */
#define CHUNK_SHARE 32                /* of the limit: the largest chunk */
#define CREDIT_SHARE 8                /* of what is left */
#define LOOK_PATIENCE_NS 500000000ull /* the supervisor is gone or very busy: go on */
#define LOOKS_MAX 4

/* This life's draws since the last look; a fork's child begins with none. */
static struct {
	u32 look, member, generation;
	u64 bytes;
} drawn;

bool memory_may_commit(u64 len)
{
	return !KIN->host_memory || len <= KIN->host_memory;
}

static void drawn_refresh(void)
{
	u32 look = atomic_load(&KIN->memory_looks);

	if (drawn.look == look && drawn.member == BOOT_INFO->member &&
	    drawn.generation == BOOT_INFO->generation)
		return;
	drawn.look = look;
	drawn.member = BOOT_INFO->member;
	drawn.generation = BOOT_INFO->generation;
	drawn.bytes = 0;
}

static bool draw(u64 bytes)
{
	if (atomic_fetch_sub(&KIN->memory_credit, (s64)bytes) >= (s64)bytes) {
		drawn_refresh();
		drawn.bytes += bytes;
		return true;
	}
	atomic_fetch_add(&KIN->memory_credit, (s64)bytes);
	return false;
}

static void look_await(void)
{
	u32 look = atomic_load(&KIN->memory_looks);

	atomic_store(&KIN->memory_wanted, 1);
	host_notify();
	host_futex_wait(&KIN->memory_looks, look, LOOK_PATIENCE_NS);
}

void memory_draw(u64 bytes)
{
	if (!KIN->memory_limit)
		return;
	for (u32 i = 0; i < LOOKS_MAX; i++) {
		if (draw(bytes))
			return;
		look_await();
	}
	if (!draw(bytes)) /* more at once than there ever is: the supervisor sees what is touched */
		atomic_store(&KIN->memory_credit, 0);
}

void memory_return(u64 bytes)
{
	if (!KIN->memory_limit)
		return;
	drawn_refresh();
	bytes = MIN(bytes, drawn.bytes);
	drawn.bytes -= bytes;
	atomic_fetch_add(&KIN->memory_credit, (s64)bytes);
}

u64 memory_chunk_max(u64 bytes)
{
	return KIN->memory_limit ? MIN(bytes, MAX(HUGE_SIZE, KIN->memory_limit / CHUNK_SHARE)) : bytes;
}

/*
 * What is accessible and not touched at a look is drawn for nobody and can be touched later, so
 * chunks get smaller with the credit.
 */
u64 memory_chunk(u64 bytes)
{
	u64 piece = PIECE, credit;

	if (!KIN->memory_limit)
		return bytes;
	credit = (u64)MAX(atomic_load(&KIN->memory_credit), (s64)0);
	if (credit / CREDIT_SHARE >= bytes)
		return bytes;
	while (piece * 2 <= credit / CREDIT_SHARE)
		piece *= 2;
	return MIN(bytes, piece);
}
