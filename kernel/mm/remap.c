/* SPDX-License-Identifier: ISC */
/*
 * mremap(2). Private memory lives at its own address in the host (identity), so that moving it
 * means copying what was touched; a mapping that moved once is placed with free addresses above it,
 * so that the next growth stays in place. Shared memory moves by its page-table entries.
 */
#include "kernel/mm/mm_internal.h"
#include "kernel/task/thread.h"

#include <asm/errno.h>
#include <linux/mman.h>

#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"

#define HEADROOM_FROM (1ul << 20)  /* mappings of this size get room to grow when they move */
#define HEADROOM_MIN (64ul << 20)
#define COPY_STEP (8ul << 20)      /* source pages are given back after each */

static bool page_is_zero(const u64 *p)
{
	for (size_t i = 0; i < PAGE_SIZE / sizeof(*p); i++)
		if (p[i])
			return false;
	return true;
}

/*
 * Both sides are present, the source readable, the target writable. Pages that are equal already
 * stay untouched.
 */
static void pages_copy(u64 to, u64 from, u64 len, bool to_zero)
{
	for (u64 at = 0; at < len; at += PAGE_SIZE) {
		const void *src = (void *)(from + at);
		void *dst = (void *)(to + at);
		bool same = to_zero ? page_is_zero(src) : memcmp(dst, src, PAGE_SIZE) == 0;

		if (!same)
			copy_out(dst, src, PAGE_SIZE);
	}
}

/* Target pages for everything that is present at [from, +len): afterwards the copy cannot fail. */
static int targets_populate(struct mm *mm, struct vma *target, u64 to, u64 from, u64 len)
{
	u64 s, e;

	for (u64 at = from; ranges_next(&mm->present, at, from + len, &s, &e); at = e) {
		int err = pages_populate(mm, target, to + (s - from), to + (e - from));

		if (err)
			return err;
	}
	return 0;
}

/* Moves contents between two private VMAs; the source's pages go. */
static void contents_move(struct mm *mm, u64 to, u64 from, u64 len, bool to_zero)
{
	u64 s, e;

	for (u64 at = from; at < from + len; at += COPY_STEP) {
		u64 end = MIN(at + COPY_STEP, from + len);

		for (u64 p = at; ranges_next(&mm->present, p, end, &s, &e); p = e)
			pages_copy(to + (s - from), s, e - s, to_zero);
		ranges_reserve(&mm->present, 3);
		ranges_reserve(&mm->stale, 3);
		pages_drop(mm, at, end);
	}
}

static void model_dup(struct vma *model, const struct vma *v, u64 addr, u64 to, u64 new_len)
{
	*model = *v;
	model->start = to;
	model->end = to + new_len;
	model->flags &= ~(u32)(VMA_HEAP | VMA_STACK);
	if (v->object || v->file)
		model->offset += addr - v->start;
	if (v->object)
		holding_dup(v->object);
	if (v->file)
		holding_dup(v->file);
}

/* Private contents of [addr, +len) of v appear at to, in a new VMA that already exists there. */
static int private_move(struct mm *mm, struct vma *v, struct vma *target, u64 to, u64 addr, u64 len)
{
	u32 prot = v->prot;
	bool to_zero = !v->file;

	if (v->file) /* the file may have become shorter */
		len = MIN(len, vma_backed_end(target) - to);
	if (targets_populate(mm, target, to, addr, len))
		return -ENOMEM;
	if (!vma_accessible(v))
		pages_protect(mm, addr, addr + len, PROT_READ);
	contents_move(mm, to, addr, len, to_zero);
	if (target->prot != prot) {
		target->prot = prot;
		pages_protect(mm, target->start, target->end, prot);
	}
	return 0;
}

/* old_len 0: a second mapping of the same shared memory. */
static s64 vma_move(struct mm *mm, struct vma *v, u64 addr, u64 old_len, u64 to, u64 new_len,
	bool keep)
{
	bool private_memory = !v->object && !vma_host_shared(v);
	struct vma model, *target;
	s64 where;

	model_dup(&model, v, addr, to, new_len);
	/* Apart from its neighbours until its contents are there: the flag keeps it from merging. */
	if (private_memory) {
		model.prot = PROT_READ | PROT_WRITE;
		model.flags |= VMA_MOVING;
	}
	where = mm_place(mm, &model, false);
	if (where < 0)
		return where;
	v = mm_find(mm, addr);
	target = mm_find(mm, to);
	if (private_memory) {
		if (private_move(mm, v, target, to, addr, old_len)) {
			mm_unmap_range(mm, to, to + new_len);
			return -ENOMEM;
		}
		target->flags &= ~(u32)VMA_MOVING;
		vma_merge(mm, target);
	}
	if (old_len && keep)
		pages_drop(mm, addr, addr + old_len);
	else if (old_len)
		mm_unmap_range(mm, addr, addr + old_len);
	return (s64)to;
}

static u64 place_choose(struct mm *mm, u64 len)
{
	u64 align = len >= HUGE_SIZE ? HUGE_SIZE : PAGE_SIZE, addr = 0;

	if (len >= HEADROOM_FROM && len < USER_ADDRESS_END / 4)
		addr = vma_gap(mm, len + MAX(len, HEADROOM_MIN), align, PRIVATE_BASE, mm->mmap_top);
	if (!addr && len < USER_ADDRESS_END)
		addr = vma_gap(mm, len, PAGE_SIZE, PRIVATE_BASE, mm->mmap_top);
	if (!addr && len < USER_ADDRESS_END)
		addr = vma_gap(mm, len, PAGE_SIZE, mm->mmap_top, USER_ADDRESS_END);
	return addr;
}

/* May [addr, +old_len) of v become new_len long? */
static s64 check_resize(struct mm *mm, struct vma *v, u64 addr, u64 old_len, u64 new_len)
{
	if (!v || v->flags & VMA_SPECIAL)
		return -EFAULT;
	if (old_len == 0 && !(v->flags & VMA_SHARED))
		return -EINVAL;
	if (old_len > v->end - addr)
		return -EFAULT;
	if (new_len > old_len && !mm_may_grow(mm, new_len - old_len))
		return -ENOMEM;
	if (new_len > old_len && v->prot & PROT_WRITE && !(v->flags & (VMA_SHARED | VMA_NORESERVE)) &&
		!memory_may_commit(new_len - old_len))
		return -ENOMEM;
	return 0;
}

static s64 remap_to(struct mm *mm, u64 addr, u64 old_len, u64 new_len, u64 flags, u64 new_addr)
{
	struct vma *v;
	s64 err;

	if (flags & MREMAP_FIXED) {
		if (new_addr & (PAGE_SIZE - 1) || new_len > USER_ADDRESS_END ||
		    new_addr > USER_ADDRESS_END - new_len)
			return -EINVAL;
		if (addr + old_len > new_addr && new_addr + new_len > addr)
			return -EINVAL;
		if (!range_allowed(new_addr, new_len, vma_accessible(mm_find(mm, addr))))
			return new_addr < PRIVATE_BASE ? -EPERM : -ENOMEM;
		call_table_yield(mm, new_addr, new_addr + new_len);
		err = mm_unmap_range(mm, new_addr, new_addr + new_len);
		if (err)
			return err;
	}
	if (old_len > new_len) {
		err = mm_unmap(mm, addr + new_len, old_len - new_len);
		if (err)
			return err;
		old_len = new_len;
	}
	v = mm_find(mm, addr);
	err = check_resize(mm, v, addr, old_len, new_len);
	if (err)
		return err;
	if (!(flags & MREMAP_FIXED))
		new_addr = place_choose(mm, new_len);
	if (!new_addr)
		return -ENOMEM;
	return vma_move(mm, v, addr, old_len, new_addr, new_len, flags & MREMAP_DONTUNMAP);
}

/* Not into the room that the stack may grow into. */
static bool grow_in_place(struct mm *mm, struct vma *v, u64 new_end)
{
	u64 old_end = v->end;

	if (old_end <= mm->mmap_top && new_end > mm->mmap_top)
		return false;
	if (!range_allowed(v->start, new_end - v->start, vma_accessible(v)) ||
	    !vma_range_free(mm, old_end, new_end) || mm_reserve(mm))
		return false;
	vma_resize(mm, v, v->start, new_end);
	v = vma_merge(mm, v);
	pages_populate_eager(mm, v, old_end, new_end);
	return true;
}

static s64 remap_grow(struct mm *mm, u64 addr, u64 old_len, u64 new_len, bool may_move)
{
	struct vma *v = mm_find(mm, addr);
	s64 err = check_resize(mm, v, addr, old_len, new_len);
	u64 to;

	if (err)
		return err;
	if (old_len == v->end - addr && addr + new_len > addr && grow_in_place(mm, v, addr + new_len))
		return (s64)addr;
	if (!may_move)
		return -ENOMEM;
	to = place_choose(mm, new_len);
	return to ? vma_move(mm, v, addr, old_len, to, new_len, false) : -ENOMEM;
}

s64 sys_mremap(u64 addr, u64 old_len, u64 new_len, u64 flags, u64 new_addr)
{
	struct mm *mm = current->proc->mm;

	if (flags & ~(u64)(MREMAP_FIXED | MREMAP_MAYMOVE | MREMAP_DONTUNMAP))
		return -EINVAL;
	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if (flags & MREMAP_DONTUNMAP && old_len != new_len)
		return -EINVAL;
	if (addr & (PAGE_SIZE - 1))
		return -EINVAL;
	old_len = ALIGN_UP(old_len, PAGE_SIZE);
	new_len = ALIGN_UP(new_len, PAGE_SIZE);
	if (new_len == 0)
		return -EINVAL;
	if (!mm_find(mm, addr))
		return -EFAULT;
	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		return remap_to(mm, addr, old_len, new_len, flags, new_addr);
	if (old_len >= new_len) {
		s64 err = old_len > new_len ? mm_unmap(mm, addr + new_len, old_len - new_len) : 0;

		return err ? err : (s64)addr;
	}
	return remap_grow(mm, addr, old_len, new_len, flags & MREMAP_MAYMOVE);
}
