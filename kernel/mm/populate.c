/* SPDX-License-Identifier: ISC */
/*
 * The pages under the VMAs: which have page-table entries (mm->present), and giving memory back.
 * The only caller of paging_ops.
 *
 * Small mappings become present when they are made, so that most programs never fault; large ones
 * in chunks by fault. In the process backend the host's own page tables are lazy already and a
 * fault costs a signal: there nearly everything is present at once.
 *
 * kvm, where telling the host costs an exit: a small private range that is unmapped only loses its
 * page-table entries and becomes stale. It is given back when much is stale, or when its addresses
 * are wanted again; a little of it is zeroed here instead, so that a loop of mmap and munmap makes
 * no exits. Stale and present never overlap.
 */
#include "kernel/arch/arch.h"
#include "kernel/mm/call_sites.h"
#include "kernel/mm/mm_internal.h"
#include "kernel/task/thread.h"

#include <asm/errno.h>
#include <linux/mman.h>

#include "kernel/kin/kin_core.h"
#include "kernel/lib/lib.h"

#define EAGER_BYTES (4ul << 20)       /* present at once, kvm, and shared memory everywhere */
#define EAGER_FILE_BYTES (16ul << 20) /* one hypercall maps it all */
#define CHUNK_MAX (64ul << 20)
#define FILE_CHUNK (4ul << 20)
#define MISSING_MAX 64                /* pages of a sparse file that are looked for in vain */
/* private mappings from here on ask the host for huge pages */
#define HUGE_MIN (32ul << 20)
#define STALE_MAX (4ul << 20)         /* bytes that may wait */
#define STALE_RUN_MAX (1ul << 20)
#define STALE_ZERO_MAX (128ul << 10)  /* cheaper to zero than to exit */
#define HOLE_MAX (256ul << 20)        /* a hole that one unmap call may span */
#define PROT_ANY (PROT_READ | PROT_WRITE | PROT_EXEC)

void mm_mirror(struct mm *mm)
{
	struct proc *p = current->proc;

	if (p && p->mm == mm) {
		p->kp->vm_pages = mm->total_pages;
		p->kp->present_pages = mm->present.bytes / PAGE_SIZE;
	}
}

static bool in_kvm(void)
{
	return BOOT_INFO->backend == BACKEND_KVM;
}

bool vma_accessible(const struct vma *v)
{
	return v->prot & PROT_ANY;
}

int mm_reserve(struct mm *mm)
{
	if (vma_reserve(mm, ARRAY_SIZE(mm->spare)) || ranges_reserve(&mm->present, 3) ||
	    ranges_reserve(&mm->stale, 3))
		return -ENOMEM;
	return 0;
}

u64 vma_backed_end(const struct vma *v)
{
	struct kstat st;
	u64 size;

	if (!v->file)
		return v->end;
	s64 err = file_describe(v->file, &st);
	if (err)
		return err == -ENOSYS ? v->end : v->start;
	size = ALIGN_UP(st.size, PAGE_SIZE);
	if (v->offset >= size)
		return v->start;
	return MIN(v->end, v->start + (size - v->offset));
}

void pages_flush_stale(struct mm *mm, u64 start, u64 end)
{
	u64 s, e;

	for (u64 at = start; ranges_next(&mm->stale, at, end, &s, &e); at = e)
		paging->unmap(s, e - s, false);
	ranges_remove(&mm->stale, start, end);
	paging->settle();
}

/* Zeroes what is stale in a range that has just been mapped writable. */
static void stale_zero(struct mm *mm, u64 start, u64 end)
{
	u64 s, e;

	for (u64 at = start; ranges_next(&mm->stale, at, end, &s, &e); at = e)
		memset((void *)s, 0, e - s);
	ranges_remove(&mm->stale, start, end);
}

static u64 stale_bytes(struct mm *mm, u64 start, u64 end)
{
	u64 s, e, sum = 0;

	for (u64 at = start; ranges_next(&mm->stale, at, end, &s, &e); at = e)
		sum += e - s;
	return sum;
}

static int map_anon(struct mm *mm, struct vma *v, u64 start, u64 end)
{
	u64 stale = stale_bytes(mm, start, end);
	u64 len = end - start;
	int err;

	if (stale > STALE_ZERO_MAX) {
		pages_flush_stale(mm, start, end);
		stale = 0;
	}
	memory_draw(len);
	err = paging->map_private(start, len, (int)v->prot | (stale ? PROT_READ | PROT_WRITE : 0),
		true);
	if (err)
		return err;
	if (stale) {
		stale_zero(mm, start, end);
		if ((v->prot & (PROT_READ | PROT_WRITE)) != (PROT_READ | PROT_WRITE))
			paging->protect(start, len, (int)v->prot);
	}
	if (v->end - v->start >= HUGE_MIN && len >= HUGE_SIZE &&
		!(v->flags & (VMA_NORESERVE | VMA_NOHUGE)))
		paging->advise(start, len, MADV_HUGEPAGE);
	return 0;
}

/*
 * create: all of it, or else as much as the object has already, until too many pages in a row are
 * missing.
 */
static int map_object(struct mm *mm, struct vma *v, u64 start, u64 end, bool create)
{
	u64 run, missing = 0;

	pages_flush_stale(mm, start, end);
	for (u64 at = start; at < end && missing < MISSING_MAX; at += run) {
		u64 index = (v->offset + (at - v->start)) / PAGE_SIZE;
		char *page = object_page(v->object, index, create, &run);
		int err;

		if (!page && create)
			return -ENOMEM;
		run = page ? MIN(run * PAGE_SIZE, end - at) : PAGE_SIZE;
		missing = page ? 0 : missing + 1;
		if (!page)
			continue;
		err = paging->map_kin(at, run, (u64)page, (int)v->prot);
		if (err)
			return err;
		ranges_add(&mm->present, at, at + run);
		ranges_reserve(&mm->present, 3);
	}
	return 0;
}

static int map_pages(struct mm *mm, struct vma *v, u64 start, u64 end, bool create)
{
	s64 err;

	if (v->object)
		return map_object(mm, v, start, end, create);
	if (v->file) {
		pages_flush_stale(mm, start, end);
		u64 offset = v->offset + (start - v->start);

		if (vma_host_shared(v))
			err = file_map_shared(v->file, start, end - start, (int)v->prot, offset);
		else
			err = file_map_private(v->file, start, end - start, (int)v->prot, offset);
	} else {
		err = map_anon(mm, v, start, end);
	}
	if (!err)
		ranges_add(&mm->present, start, end);
	return (int)err;
}

/*
 * [start, end) of v is not present: all of it becomes so. On failure what was mapped without
 * becoming present is taken back. While this runs, the kernel's own writes to the new pages may
 * fault because the processor still holds an older translation: mm_fault must not map them again.
 */
static int map_gap(struct mm *mm, struct vma *v, u64 start, u64 end, bool create)
{
	u64 s, e;
	int err;

	mm->busy_start = start;
	mm->busy_end = end;
	mm->busy_faults = 0;
	err = map_pages(mm, v, start, end, create);
	mm->busy_start = mm->busy_end = 0;
	mm_mirror(mm);
	if (err)
		for (u64 at = start; ranges_next_gap(&mm->present, at, end, &s, &e); at = e)
			paging->unmap(s, e - s, v->object != NULL);
	return err;
}

static int populate(struct mm *mm, struct vma *v, u64 start, u64 end, bool create)
{
	u64 s, e;

	if (!vma_accessible(v) || v->flags & VMA_SPECIAL)
		return 0;
	if (v->file)
		end = MIN(end, vma_backed_end(v));
	for (u64 at = start; ranges_next_gap(&mm->present, at, end, &s, &e); at = e) {
		int err;

		if (ranges_reserve(&mm->present, 3) || ranges_reserve(&mm->stale, 3))
			return -ENOMEM;
		err = map_gap(mm, v, s, e, create);
		if (err)
			return err;
	}
	return 0;
}

int pages_populate(struct mm *mm, struct vma *v, u64 start, u64 end)
{
	return populate(mm, v, start, end, true);
}

static bool file_is_copied(struct file *f)
{
	struct kin_object *o = file_shared_object(f);

	if (o)
		ref_put(OWN_OBJECT, hold_of(OWN_OBJECT, o));
	return o != NULL;
}

int pages_populate_eager(struct mm *mm, struct vma *v, u64 start, u64 end)
{
	u64 limit = in_kvm() ? EAGER_BYTES : ~0ul;

	if (v->object)
		limit = EAGER_BYTES;
	else if (!v->file)
		limit = memory_chunk_max(limit);
	else if (v->file && file_is_copied(v->file))
		limit = EAGER_BYTES;
	else if (v->file && in_kvm())
		limit = EAGER_FILE_BYTES;
	if (end - start > limit)
		return 0;
	return populate(mm, v, start, end, !v->object);
}

/*
 * The chunk grows with what lies present before it: a program that walks through memory faults ever
 * more seldom.
 */
static u64 chunk_size(struct mm *mm, struct vma *v, u64 addr)
{
	u64 s, e, size = HUGE_SIZE, base = ALIGN_DOWN(addr, HUGE_SIZE);

	if (v->file)
		return FILE_CHUNK;
	while (size < memory_chunk_max(CHUNK_MAX) && base > v->start + size &&
	       !ranges_next_gap(&mm->present, base - size, base, &s, &e))
		size *= 2;
	return size;
}

/*
 * Of a memory object only the page that is needed is made, so that a sparse file stays sparse, or
 * more and more where a program walks through it. What it has already around there is mapped too.
 */
static int object_populate_around(struct mm *mm, struct vma *v, u64 addr)
{
	u64 base = ALIGN_DOWN(addr, PAGE_SIZE), size = PAGE_SIZE, s, e;
	int err;

	while (size < FILE_CHUNK && base >= v->start + size &&
		   !ranges_next_gap(&mm->present, base - size, base, &s, &e))
		size *= 4;
	err = populate(mm, v, base, MIN(v->end, base + size), true);
	if (err)
		return size == PAGE_SIZE ? err : populate(mm, v, base, base + PAGE_SIZE, true);
	base = ALIGN_DOWN(addr, FILE_CHUNK);
	populate(mm, v, addr & PAGE_MASK, MIN(v->end, base + FILE_CHUNK), false);
	populate(mm, v, MAX(v->start, base), addr & PAGE_MASK, false);
	return 0;
}

int pages_populate_around(struct mm *mm, struct vma *v, u64 addr)
{
	if (v->object)
		return object_populate_around(mm, v, addr);

	u64 start = MAX(v->start, ALIGN_DOWN(addr, HUGE_SIZE));
	u64 end = MIN(v->end, ALIGN_DOWN(addr, HUGE_SIZE) + chunk_size(mm, v, addr));
	u64 piece = v->file ? end - start : memory_chunk(end - start);

	if (piece < end - start) {
		start = MAX(v->start, ALIGN_DOWN(addr, piece));
		end = MIN(v->end, ALIGN_DOWN(addr, piece) + piece);
	}
	if (!pages_populate(mm, v, start, end))
		return 0;
	/* Memory is short: the one page that is needed. */
	start = ALIGN_DOWN(addr, PAGE_SIZE);
	return pages_populate(mm, v, start, start + PAGE_SIZE);
}

int pages_refresh(struct mm *mm, struct vma *v, u64 addr)
{
	u64 run, page = ALIGN_DOWN(addr, PAGE_SIZE);
	void *kin_page;

	if (!v->object)
		return paging->map_private(page, PAGE_SIZE, (int)v->prot, false);
	kin_page = object_page(v->object, (v->offset + (page - v->start)) / PAGE_SIZE, true, &run);
	return kin_page ? paging->map_kin(page, PAGE_SIZE, (u64)kin_page, (int)v->prot) : -ENOMEM;
}

void pages_protect(struct mm *mm, u64 start, u64 end, u32 prot)
{
	u64 s, e;

	for (u64 at = start; ranges_next(&mm->present, at, end, &s, &e); at = e)
		paging->protect(s, e - s, (int)prot);
}

/*
 * Present pages that go together. Only writable anonymous memory becomes stale: it is zeroed
 * through its own addresses, to which the processor may still hold the old translation.
 */
struct sweep {
	struct mm *mm;
	u64 start, end, bytes;
	bool kin;      /* pages of kin: the host is not concerned */
	bool no_stale; /* of this run */
	bool all_now;  /* of every run */
};

static void sweep_stale(struct sweep *w)
{
	u64 s, e;

	for (u64 at = w->start; ranges_next(&w->mm->present, at, w->end, &s, &e); at = e) {
		paging->protect(s, e - s, PROT_NONE);
		ranges_add(&w->mm->stale, s, e);
		ranges_reserve(&w->mm->stale, 3);
	}
	if (w->mm->stale.bytes > STALE_MAX)
		pages_flush_stale(w->mm, 0, ~0ul);
}

static void sweep_flush(struct sweep *w)
{
	if (w->bytes && !w->kin && !w->no_stale && w->bytes <= STALE_RUN_MAX && in_kvm()) {
		sweep_stale(w);
	} else if (w->bytes) {
		paging->unmap(w->start, w->end - w->start, w->kin);
		if (!w->kin)
			ranges_remove(&w->mm->stale, w->start, w->end);
	}
	w->bytes = 0;
}

/*
 * What lies between two parts of a sweep is going too or not present, so that one call may span it.
 */
static void sweep_add(struct sweep *w, u64 start, u64 end, bool kin, bool no_stale)
{
	bool far = w->bytes && start - w->end > (kin ? 0 : HOLE_MAX);

	if (w->bytes && (w->kin != kin || far || !range_allowed(w->end, start - w->end, true)))
		sweep_flush(w);
	if (!w->bytes) {
		w->start = start;
		w->kin = kin;
		w->no_stale = w->all_now;
	}
	w->end = end;
	w->bytes += end - start;
	w->no_stale |= no_stale;
}

static void pages_sweep(struct mm *mm, u64 start, u64 end, bool all_now)
{
	struct sweep w = {.mm = mm, .all_now = all_now};
	u64 s, e;

	for (struct vma *v = vma_first(mm, start); v && v->start < end; v = vma_next(v)) {
		u64 low = MAX(v->start, start), high = MIN(v->end, end);

		if (v->flags & VMA_SPECIAL) {
			sweep_flush(&w); /* it stays */
			continue;
		}
		if (v->file || v->prot & PROT_EXEC)
			redirect_range_gone(low, high - low);
		for (u64 at = low; ranges_next(&mm->present, at, high, &s, &e); at = e) {
			sweep_add(&w, s, e, v->object != NULL,
				v->file || !(v->prot & PROT_WRITE));
			if (!v->object && !v->file)
				memory_return(e - s);
		}
	}
	sweep_flush(&w);
	paging->settle();
	ranges_remove(&mm->present, start, end);
	mm_mirror(mm);
}

void pages_drop(struct mm *mm, u64 start, u64 end)
{
	pages_sweep(mm, start, end, false);
}

void mm_redirect_known(struct mm *mm, bool runs)
{
	for (struct vma *v = vma_first(mm, 0); v; v = vma_next(v)) {
		if (!v->file || !(v->prot & PROT_EXEC))
			continue;
		if (runs)
			v->flags |= VMA_RUNS;
		if (v->flags & VMA_RUNS)
			sites_redirect(mm, v);
	}
}

void pages_drop_all(struct mm *mm)
{
	pages_sweep(mm, 0, USER_ADDRESS_END, true);
	pages_flush_stale(mm, 0, USER_ADDRESS_END);
}
