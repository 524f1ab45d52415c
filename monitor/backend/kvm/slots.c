/* SPDX-License-Identifier: ISC */
/*
 * Memory slots. The guest asks for what it is about to map; slots are made of whole chunks of
 * SLOT_CHUNK bytes, clipped to private memory and kin, and never overlap; none spans their border.
 * A running VM gets a slot per request; a clone's VM gets one for all chunks that lie close
 * together, because a slot costs time by its number: each is a grace period of the host kernel.
 * chunks[] is in the monitor's memory, copied by the fork like all else.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "monitor/backend/kvm/kvm.h"

/* The host kernel keeps records for each page of a slot: a guest must not make it keep too many. */
#define CHUNKS_MAX ((128ull << 30) / SLOT_CHUNK)
/*
 * A gap of so many chunks is cheaper to include than another slot (with shadow page tables;
 * otherwise more so).
 */
#define GAP_MAX 2

/*
 * With shadow page tables the host keeps 8 bytes for each page, and always 4 for each large one. A
 * quarter of --memory is the most for one VM: more is refused before it is there, and the
 * supervisor adds up what all have.
 */
#define RECORD_SHARE (PAGE_SIZE / 8)
#define LIMIT_SHARE 4

FORK_PATH static bool chunk_has(const struct kvm_state *s, u64 c)
{
	return s->chunks[c / 64] >> (c % 64) & 1;
}

void slots_note(struct kvm_state *s, u64 from, u64 to)
{
	for (u64 c = from; c < to; c++) {
		s->chunk_count += !chunk_has(s, c);
		s->chunks[c / 64] |= 1ull << (c % 64);
	}
}

FORK_PATH int slots_charge(struct member *m, struct error *err)
{
	struct kvm_state *s = kvm_state(m);
	struct ledger *l = m->family->ledger;
	s32 none = 0, pid = (s32)getpid();
	u32 used;

	s->slot_bytes = 0;
	s->slot_bytes_max = l ? m->family->memory_limit / LIMIT_SHARE : ~0ull;
	s->ledger = NULL;
	if (!l)
		return 0;
	used = l->used;
	while (used <= m->index && !atomic_compare_exchange_weak(&l->used, &used, m->index + 1))
		;
	/* A guest that names one record for two clones. */
	if (!atomic_compare_exchange_strong(&l->rows[m->index].owner, &none, pid) && none != pid)
		return error_set(err, 0, "its record has a monitor already");
	s->ledger = &l->rows[m->index];
	s->ledger->slot_bytes = 0;
	return 0;
}

FORK_PATH static void slot_bytes_set(struct kvm_state *s, u64 bytes)
{
	s->slot_bytes = bytes;
	if (s->ledger)
		s->ledger->slot_bytes = bytes;
}

/* One slot for chunks [from, to). 0 or -errno. */
FORK_PATH static int slot_add(struct kvm_state *s, u64 from, u64 to)
{
	u64 bytes = (to - from) * SLOT_CHUNK / RECORD_SHARE, before = s->slot_bytes;
	u64 start = MAX(from * SLOT_CHUNK, (u64)PRIVATE_BASE);
	u64 in_kin = start >= KIN_PHYSICAL ? KIN_BASE - KIN_PHYSICAL : 0;
	struct kvm_userspace_memory_region region = {
		.slot = s->slot_count,
		.guest_phys_addr = start,
		.memory_size = to * SLOT_CHUNK - start,
		.userspace_addr = start + in_kin,
	};

	if (s->slot_count >= s->slots_max || before + bytes > s->slot_bytes_max)
		return -ENOSPC;
	slot_bytes_set(s, before + bytes);
	if (ioctl(s->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0) {
		int e = errno;

		slot_bytes_set(s, before);
		return -e;
	}
	s->slot_count++;
	return 0;
}

/* The first run of chunks in [from, end) that have (or lack) a slot; false: none. */
FORK_PATH static bool run_next(const struct kvm_state *s, bool have, u64 from, u64 end,
							   u64 *start, u64 *stop)
{
	u64 none = have ? 0 : ~0ull;

	while (from < end && chunk_has(s, from) != have)
		from += from % 64 == 0 && s->chunks[from / 64] == none ? 64 : 1;
	if (from >= end)
		return false;
	*start = from++;
	while (from < end && chunk_has(s, from) == have && from != KIN_PHYSICAL / SLOT_CHUNK)
		from++;
	*stop = from;
	return true;
}

/* Kin lies elsewhere in the monitor's memory than what comes before it. */
FORK_PATH static bool kin_begins(u64 start, u64 stop)
{
	return start < KIN_PHYSICAL / SLOT_CHUNK && stop > KIN_PHYSICAL / SLOT_CHUNK;
}

FORK_PATH int slots_create(struct kvm_state *s, struct error *err)
{
	u64 start, stop, next, next_stop;
	bool more = run_next(s, true, 0, CHUNKS, &start, &stop);

	while (more) {
		int r;

		more = run_next(s, true, stop, CHUNKS, &next, &next_stop);
		if (more && next - stop <= GAP_MAX && !kin_begins(start, next_stop)) {
			stop = next_stop;
			continue;
		}
		slots_note(s, start, stop);
		r = slot_add(s, start, stop);
		if (r < 0)
			return error_set(err, -r, "cannot give a virtual machine its memory");
		start = next;
		stop = next_stop;
	}
	return 0;
}

s64 kvm_populate(struct member *m, u64 addr, u64 len)
{
	struct kvm_state *s = kvm_state(m);
	u64 end, start, stop;

	if (addr < PRIVATE_BASE || addr >= PHYSICAL_END || len == 0 || len > PHYSICAL_END - addr)
		return -EINVAL;
	end = (addr + len + SLOT_CHUNK - 1) / SLOT_CHUNK;
	for (u64 c = addr / SLOT_CHUNK; run_next(s, false, c, end, &start, &stop); c = stop) {
		int r;

		if (s->chunk_count + (stop - start) > CHUNKS_MAX)
			return -ENOMEM;
		r = slot_add(s, start, stop);
		if (r < 0)
			return r == -EINTR ? -EAGAIN : -ENOMEM;
		slots_note(s, start, stop);
	}
	return 0;
}
