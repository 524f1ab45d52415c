/* SPDX-License-Identifier: ISC */
/*
 * The hardware's view of the address space: page tables of the VM (kvm), or mappings of the host
 * process (process). mm/ decides, this obeys. Both implementations stand behind one const table
 * chosen at boot. All addresses and lengths are page-aligned. Ranges never touch the kernel's
 * window.
 */
#ifndef KERNEL_ARCH_PAGING_H
#define KERNEL_ARCH_PAGING_H

#include "common/types.h"

struct paging_ops {
	/*
	 * Private memory: make [va, +len) accessible with prot (PROT_*). The memory is fresh zero
	 * pages if fresh (hypercall map_anon or known zero), else what map_file put there before. kvm:
	 * binds frames, populates slots, writes PTEs (2 MiB where aligned). 0, -ENOMEM.
	 */
	int (*map_private)(u64 va, u64 len, int prot, bool fresh);
	/*
	 * Pages of kin at va: kin_addr is the address in [KIN_BASE, KIN_END) of the first; contiguous.
	 */
	int (*map_kin)(u64 va, u64 len, u64 kin_addr, int prot);
	/* File pages at va (hypercall map_file, then accessible); flags MAP_PRIVATE or MAP_SHARED. */
	int (*map_file)(u64 va, u64 len, int prot, int handle, u64 offset, int flags);
	int (*protect)(u64 va, u64 len, int prot);
	/*
	 * Inaccessible; private pages are given back to the host. kin tells that the range was mapped
	 * by map_kin.
	 */
	int (*unmap)(u64 va, u64 len, bool kin);
	/* After one or several unmap: what they left over for one call goes to the host. */
	void (*settle)(void);
	/* MADV_DONTNEED on private memory. */
	int (*discard)(u64 va, u64 len);
	/* MADV_HUGEPAGE and the like (hypercall advise). */
	void (*advise)(u64 va, u64 len, int advice);
	/* Which pages of private memory, mapped, were touched: the lowest bit of a byte for each. */
	void (*resident)(u64 va, u64 len, u8 *pages);
	/*
	 * Where the monitor finds the private memory at va, which is mapped: *host, and how many of len
	 * bytes lie together there.
	 */
	u64 (*host_span)(u64 va, u64 len, u64 *host);
	/*
	 * Make sure the monitor has memory behind this part of kin (kvm: slot and PTEs); called by the
	 * kin allocator.
	 */
	int (*kin_populate)(u64 addr, u64 len);
	/* The same for the kernel's heap, which has its entries from the start. */
	int (*heap_populate)(u64 addr, u64 len);
};

extern const struct paging_ops *paging;
void paging_init(void);

#endif
