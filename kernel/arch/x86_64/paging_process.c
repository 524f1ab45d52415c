/* SPDX-License-Identifier: ISC */
/*
 * Paging in the process backend: the host's mappings are the page tables. Kin is mapped whole at
 * its own address by the monitor.
 */
#include <linux/mman.h>

#include "kernel/arch/x86_64/arch_internal.h"
#include "kernel/arch/paging.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib_hooks.h"

#define PROT_ANY (PROT_READ | PROT_WRITE | PROT_EXEC)

static int map_private(u64 va, u64 len, int prot, bool fresh)
{
	if (fresh)
		return (int)host_map_anon(va, len, prot & PROT_ANY);
	return (int)host_protect(va, len, prot & PROT_ANY);
}

static int map_kin(u64 va, u64 len, u64 kin_addr, int prot)
{
	return (int)host_map_kin(va, len, kin_addr - KIN_BASE, prot & PROT_ANY);
}

static int map_file(u64 va, u64 len, int prot, int handle, u64 offset, int flags)
{
	return (int)host_map_file(va, len, prot & PROT_ANY, handle, offset, flags);
}

static int protect(u64 va, u64 len, int prot)
{
	return (int)host_protect(va, len, prot & PROT_ANY);
}

static int unmap(u64 va, u64 len, bool kin)
{
	return (int)host_unmap(va, len);
}

static void settle(void)
{
}

static int discard(u64 va, u64 len)
{
	return (int)host_discard(va, len);
}

static void advise(u64 va, u64 len, int advice)
{
	host_advise(va, len, advice);
}

static void resident(u64 va, u64 len, u8 *pages)
{
	if (host_resident(va, len, pages) < 0)
		memset(pages, 0, len / PAGE_SIZE);
}

static u64 host_span(u64 va, u64 len, u64 *host)
{
	*host = va;
	return len;
}

static int kin_populate(u64 addr, u64 len)
{
	return 0;
}

const struct paging_ops paging_process_ops = {
	.map_private = map_private,
	.map_kin = map_kin,
	.map_file = map_file,
	.protect = protect,
	.unmap = unmap,
	.settle = settle,
	.discard = discard,
	.advise = advise,
	.resident = resident,
	.host_span = host_span,
	.kin_populate = kin_populate,
	.heap_populate = kin_populate,
};
