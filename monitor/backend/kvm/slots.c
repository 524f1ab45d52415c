/* SPDX-License-Identifier: ISC */
/*
 * Memory slots. The guest asks for what it is about to map; slots are made of whole chunks of SLOT_CHUNK bytes, clipped to private
 * memory and to kin, and never overlap. A running VM gets a slot per request; a clone's VM gets one per run of adjacent chunks,
 * because a slot costs time by its number. chunks[] is in the monitor's memory, copied by the fork like all else.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "monitor/backend/kvm/kvm.h"

/* The host kernel keeps records for each page of a slot: a guest must not make it keep too many. */
#define CHUNKS_MAX ((128ull << 30) / SLOT_CHUNK)
#define KIN_CHUNK (KIN_BASE / SLOT_CHUNK)

static bool chunk_has(const struct kvm_state *s, u64 c)
{
	return s->chunks[c / 64] >> (c % 64) & 1;
}

static void chunks_set(struct kvm_state *s, u64 from, u64 to)
{
	for (u64 c = from; c < to; c++)
		s->chunks[c / 64] |= 1ull << (c % 64);
	s->chunk_count += (u32)(to - from);
}

/* One slot for chunks [from, to). 0 or -errno. */
static int slot_add(struct kvm_state *s, u64 from, u64 to)
{
	u64 start = MAX(from * SLOT_CHUNK, (u64)PRIVATE_BASE);
	struct kvm_userspace_memory_region region = {
		.slot = s->slot_count,
		.guest_phys_addr = start,
		.memory_size = to * SLOT_CHUNK - start,
		.userspace_addr = start,
	};

	if (s->slot_count >= s->slots_max)
		return -ENOSPC;
	if (ioctl(s->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return -errno;
	s->slot_count++;
	return 0;
}

/* The first run of chunks in [from, end) that have (or lack) a slot, not across the border of kin; false: none. */
static bool run_next(const struct kvm_state *s, bool have, u64 from, u64 end, u64 *start, u64 *stop)
{
	while (from < end && chunk_has(s, from) != have)
		from++;
	if (from == end)
		return false;
	*start = from++;
	while (from < end && from != KIN_CHUNK && chunk_has(s, from) == have)
		from++;
	*stop = from;
	return true;
}

void slots_note(struct kvm_state *s, u64 addr, u64 len)
{
	chunks_set(s, addr / SLOT_CHUNK, (addr + len) / SLOT_CHUNK);
}

int slots_create(struct kvm_state *s, struct error *err)
{
	u64 start, stop;

	for (u64 c = 0; run_next(s, true, c, CHUNKS, &start, &stop); c = stop) {
		int r = slot_add(s, start, stop);

		if (r < 0)
			return error_set(err, -r, "cannot give a virtual machine its memory");
	}
	return 0;
}

s64 kvm_populate(struct member *m, u64 addr, u64 len)
{
	struct kvm_state *s = kvm_state(m);
	u64 end, start, stop;

	if (addr < PRIVATE_BASE || addr >= KIN_END || len == 0 || len > KIN_END - addr)
		return -EINVAL;
	end = (addr + len + SLOT_CHUNK - 1) / SLOT_CHUNK;
	for (u64 c = addr / SLOT_CHUNK; run_next(s, false, c, end, &start, &stop); c = stop) {
		int r;

		if (stop - start > CHUNKS_MAX - s->chunk_count)
			return -ENOMEM;
		r = slot_add(s, start, stop);
		if (r < 0)
			return r == -EINTR ? -EAGAIN : -ENOMEM;
		chunks_set(s, start, stop);
	}
	return 0;
}
