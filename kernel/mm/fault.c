/* SPDX-License-Identifier: ISC */
/*
 * Page faults, of the application and of the kernel's copies; checks of application buffers for
 * hypercalls; futex keys. A fault makes a chunk present or is the signal that Linux would send.
 */
#include "kernel/arch/arch.h"
#include "kernel/arch/arch_hooks.h"
#include "kernel/mm/mm_internal.h"
#include "kernel/task/thread.h"

#include <asm-generic/resource.h>
#include <asm/errno.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/mman.h>

#include "kernel/kin/kin_core.h"
#include "kernel/lib/lib.h"

/* a growing mapping grows by this at least, and doubles up to STACK_STEP_MAX */
#define STACK_STEP (128ul << 10)
#define STACK_STEP_MAX HUGE_SIZE
#define BUSY_FAULTS_MAX (1u << 20) /* more than map_gap writes pages: entries are missing */

/*
 * addr lies below v, which grows down: extend it, if limits and neighbours allow. The new part is
 * made present together with the page that is needed, so that a deep recursion does not fault on
 * every page.
 */
static bool stack_grow(struct mm *mm, struct vma *v, u64 addr)
{
	struct vma *below = vma_prev(v);
	const struct hidden *h;
	u32 n;
	u64 limit = mm_rlimit(RLIMIT_STACK);
	u64 lowest = v->end > limit ? v->end - limit : 0;
	u64 start = ALIGN_DOWN(addr, PAGE_SIZE);
	u64 step = MIN(MAX(v->end - v->start, STACK_STEP), STACK_STEP_MAX);

	if (below)
		lowest = MAX(lowest, below->end + (below->flags & VMA_GROWSDOWN ? 0 : STACK_GUARD));
	lowest = MAX(lowest, (u64)PRIVATE_BASE + STACK_GUARD);
	for (n = mm_hidden(&h); n > 0; n--)
		if (h[n - 1].end <= v->start)
			lowest = MAX(lowest, h[n - 1].end + STACK_GUARD);
	if (start < lowest || !mm_may_grow(mm, v->start - start))
		return false;
	if (v->start - start < step && v->start - step >= ALIGN_UP(lowest, PAGE_SIZE))
		start = v->start - step;
	vma_resize(mm, v, start, v->end);
	return true;
}

static bool prot_allows(const struct vma *v, u64 error)
{
	if (error & FAULT_WRITE)
		return v->prot & PROT_WRITE;
	if (error & FAULT_FETCH)
		return v->prot & PROT_EXEC;
	return vma_accessible(v); /* x86: what can be written or executed can be read */
}

/* The VMA for an access to addr, growing a stack if need be. NULL: none. */
static struct vma *vma_for_access(struct mm *mm, u64 addr)
{
	struct vma *v = vma_first(mm, addr);

	if (!v || v->start <= addr)
		return v;
	if (!(v->flags & VMA_GROWSDOWN) || !stack_grow(mm, v, addr))
		return NULL;
	return v;
}

static bool is_present(struct mm *mm, u64 addr)
{
	u64 s, e;

	return ranges_next(&mm->present, addr, addr + 1, &s, &e);
}

int mm_fault(struct mm *mm, u64 addr, u64 error, int *code)
{
	struct vma *v;

	*code = SEGV_MAPERR;
	if (!mm || mm->dead || addr >= USER_ADDRESS_END)
		return SIGSEGV;
	if (mm->busy_start <= addr && addr < mm->busy_end)
		return mm->busy_faults++ < BUSY_FAULTS_MAX ? 0 : SIGBUS;
	v = vma_for_access(mm, addr);
	if (!v)
		return SIGSEGV;
	*code = SEGV_ACCERR;
	if (v->flags & VMA_SPECIAL || !prot_allows(v, error))
		return SIGSEGV;
	*code = BUS_ADRERR;
	if (is_present(mm, addr)) /* a stale translation, or an entry that got lost */
		return pages_refresh(mm, v, addr) ? SIGBUS : 0;
	if (pages_populate_around(mm, v, addr) || !is_present(mm, addr))
		return SIGBUS;
	return 0;
}

/* Makes the part of v at [addr, end) present; how far that succeeded. */
static u64 span_populate(struct mm *mm, struct vma *v, u64 addr, u64 end)
{
	u64 start = ALIGN_DOWN(addr, PAGE_SIZE), s, e;

	if (v->flags & VMA_SPECIAL)
		return end;
	pages_populate(mm, v, start, ALIGN_UP(end, PAGE_SIZE));
	if (ranges_next_gap(&mm->present, start, end, &s, &e))
		return MAX(s, addr);
	return end;
}

/* The VMA at addr if it allows the access, else NULL. */
static struct vma *span_vma(struct mm *mm, u64 addr, bool write)
{
	struct vma *v = addr < USER_ADDRESS_END ? vma_for_access(mm, addr) : NULL;

	return v && prot_allows(v, write ? FAULT_WRITE : 0) ? v : NULL;
}

/* Accessible bytes from addr on; private_only: up to the first shared mapping. */
static u64 span_length(struct mm *mm, u64 addr, u64 len, bool write, bool private_only)
{
	u64 at = addr, end = addr + len, high;
	struct vma *v;

	if (end < addr)
		end = ~0ul;
	while (at < end && (v = span_vma(mm, at, write))) {
		if (private_only && v->object)
			break;
		high = MIN(end, v->end);
		at = span_populate(mm, v, at, high);
		if (at < high)
			break;
	}
	return at - addr;
}

int application_fault(u64 addr, u64 error, int *code)
{
	*code = SEGV_MAPERR;
	if (!current || !current->proc)
		return SIGSEGV;
	return mm_fault(current->proc->mm, addr, error, code);
}

u64 mm_accessible(struct mm *mm, u64 addr, u64 len, bool write)
{
	return span_length(mm, addr, len, write, false);
}

u64 mm_host_span(struct mm *mm, u64 addr, u64 len, bool write, u64 *host)
{
	struct vma *v = span_vma(mm, addr, write);
	u64 run, offset, end;
	char *page;

	if (!v || len == 0)
		return 0;
	if (!v->object) {
		len = span_length(mm, addr, len, write, true);
		return len ? paging->host_span(addr, len, host) : 0;
	}
	end = span_populate(mm, v, addr, len < v->end - addr ? addr + len : v->end);
	if (end == addr)
		return 0;
	offset = v->offset + (addr - v->start);
	page = object_page(v->object, offset / PAGE_SIZE, true, &run);
	if (!page)
		return 0;
	*host = (u64)page + offset % PAGE_SIZE;
	return MIN(end - addr, run * PAGE_SIZE - offset % PAGE_SIZE);
}

u64 mm_shared_key(struct mm *mm, u64 addr)
{
	struct vma *v = mm_find(mm, addr);
	u64 run, offset;
	char *page;

	if (!v)
		return 0;
	offset = v->offset + (addr - v->start);
	if (vma_host_shared(v))
		return file_shared_key(v->file, offset);
	if (!v->object)
		return 0;
	page = object_page(v->object, offset / PAGE_SIZE, true, &run);
	return page ? (u64)page + offset % PAGE_SIZE : 0;
}
