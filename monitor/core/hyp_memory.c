/* SPDX-License-Identifier: ISC */
/*
 * Memory hypercalls. Ranges were checked by their kinds: page-aligned, in private memory, clear
 * of the kernel's window; kin ranges lie behind kin's header. What differs between backends is
 * behind their operations.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "monitor/core/core_internal.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static bool prot_valid(u64 prot)
{
	return (prot & ~(u64)(PROT_READ | PROT_WRITE | PROT_EXEC)) == 0;
}

/* Any bytes of guest-physical memory: the backend checks, and rounds to its own chunks. */
s64 hyp_populate(struct member *m, struct hypercall_call *call)
{
	return m->backend->populate(m, call->arg[0], call->arg[1]);
}

s64 hyp_map_anon(struct member *m, struct hypercall_call *call)
{
	if (!prot_valid(call->arg[2]))
		return -EINVAL;
	return m->backend->map_anon(m, call->arg[0], call->arg[1], (int)call->arg[2]);
}

s64 hyp_map_file(struct member *m, struct hypercall_call *call)
{
	u64 offset = call->arg[4], flags = call->arg[5];

	if (call->arg[3] <= STDERR_FILENO)
		return -EBADF;
	if (!prot_valid(call->arg[2]) || (offset & (PAGE_SIZE - 1)) ||
		offset > INT64_MAX - call->arg[1] || (flags != MAP_PRIVATE && flags != MAP_SHARED))
		return -EINVAL;
	return m->backend->map_file(m, call->arg[0], call->arg[1], (int)call->arg[2], (int)call->arg[3],
								offset, (int)flags);
}

s64 hyp_map_kin(struct member *m, struct hypercall_call *call)
{
	if (!prot_valid(call->arg[3]))
		return -EINVAL;
	return m->backend->map_kin(m, call->arg[0], call->arg[1], call->arg[2], (int)call->arg[3]);
}

s64 hyp_protect(struct member *m, struct hypercall_call *call)
{
	if (!prot_valid(call->arg[2]))
		return -EINVAL;
	return m->backend->protect(m, call->arg[0], call->arg[1], (int)call->arg[2]);
}

s64 hyp_unmap(struct member *m, struct hypercall_call *call)
{
	return m->backend->unmap(m, call->arg[0], call->arg[1]);
}

s64 hyp_discard(struct member *m, struct hypercall_call *call)
{
	return HOST_CALL(SYS_madvise, call->arg[0], call->arg[1], MADV_DONTNEED);
}

s64 hyp_advise(struct member *m, struct hypercall_call *call)
{
	u64 advice = call->arg[2];

	if (advice != MADV_HUGEPAGE && advice != MADV_NOHUGEPAGE && advice != MADV_COLLAPSE)
		return -EINVAL;
	return HOST_CALL(SYS_madvise, call->arg[0], call->arg[1], advice);
}

s64 hyp_resident(struct member *m, struct hypercall_call *call)
{
	if (call->arg[3] < call->arg[1] / PAGE_SIZE)
		return -EINVAL;
	return HOST_CALL(SYS_mincore, call->arg[0], call->arg[1], call->arg[2]);
}

s64 hyp_kin_discard(struct member *m, struct hypercall_call *call)
{
	return HOST_CALL(SYS_fallocate, m->family->kin_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					 call->arg[0], call->arg[1]);
}
