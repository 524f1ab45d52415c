/* SPDX-License-Identifier: ISC */
/*
 * What lies behind the slots. Anonymous memory was reserved once for the whole address space and is
 * given back with madvise, which keeps it one host mapping; only a range that may hold a file's
 * pages is mapped afresh. Protection is the guest's own page tables' business. KVM follows all
 * changes through the host's MMU notifiers.
 */
#include <errno.h>
#include <sys/mman.h>

#include "monitor/backend/kvm/kvm.h"

static bool granule_has(const struct kvm_state *s, u64 g)
{
	return s->file_granules[g / 64] >> (g % 64) & 1;
}

static bool files_in(const struct kvm_state *s, u64 addr, u64 len)
{
	for (u64 g = addr / HUGE_SIZE; g <= (addr + len - 1) / HUGE_SIZE; g++)
		if (granule_has(s, g))
			return true;
	return false;
}

static void files_note(struct kvm_state *s, u64 addr, u64 len)
{
	for (u64 g = addr / HUGE_SIZE; g <= (addr + len - 1) / HUGE_SIZE; g++)
		s->file_granules[g / 64] |= 1ull << (g % 64);
}

/* Only granules that are wholly inside: the rest of the others may still hold a file. */
static void files_forget(struct kvm_state *s, u64 addr, u64 len)
{
	for (u64 g = ALIGN_UP(addr, HUGE_SIZE) / HUGE_SIZE; g < (addr + len) / HUGE_SIZE; g++)
		s->file_granules[g / 64] &= ~(1ull << (g % 64));
}

static s64 map_fixed(u64 addr, u64 len, int prot, int flags, int fd, u64 offset)
{
	void *p = mmap((void *)addr, len, prot, MAP_FIXED | MAP_NORESERVE | flags, fd,
		       (off_t)offset);

	return p == MAP_FAILED ? -errno : 0;
}

s64 kvm_map_anon(struct member *m, u64 addr, u64 len, int prot)
{
	struct kvm_state *s = kvm_state(m);
	s64 r;

	if (!files_in(s, addr, len))
		return madvise((void *)addr, len, MADV_DONTNEED) < 0 ? -errno : 0;
	r = map_fixed(addr, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r == 0)
		files_forget(s, addr, len);
	return r;
}

/*
 * A private page may be written whatever prot says, so that protection stays the guest's business;
 * a shared one only as far as the descriptor allows, which the guest's kernel has seen to.
 */
s64 kvm_map_file(struct member *m, u64 addr, u64 len, int prot, int fd, u64 offset, int flags)
{
	int host_prot = PROT_READ | PROT_WRITE;
	s64 r;

	files_note(kvm_state(m), addr, len);
	r = map_fixed(addr, len, host_prot, flags, fd, offset);
	if (r == -EACCES && flags == MAP_SHARED && !(prot & PROT_WRITE))
		r = map_fixed(addr, len, PROT_READ, flags, fd, offset);
	return r;
}

s64 kvm_map_kin(struct member *m, u64 addr, u64 len, u64 kin_offset, int prot)
{
	return 0;
}

s64 kvm_protect(struct member *m, u64 addr, u64 len, int prot)
{
	return 0;
}

s64 kvm_unmap(struct member *m, u64 addr, u64 len)
{
	return kvm_map_anon(m, addr, len, 0);
}
