/* SPDX-License-Identifier: ISC */
/*
 * What an application says about its memory: madvise(2), msync(2), mlock(2) and family,
 * membarrier(2). The host decides what is resident; locking makes pages present and is otherwise a
 * promise.
 */
#include "kernel/arch/arch.h"
#include "kernel/mm/mm_internal.h"
#include "kernel/task/thread.h"

#include <asm/errno.h>
#include <linux/membarrier.h>
#include <linux/mman.h>

#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"

#define FREE_MIN (1ul << 20) /* MADV_FREE of less is not worth telling the host */

typedef s64 (*advise_fn)(struct mm *mm, struct vma *v, u64 start, u64 end, int advice);

/*
 * Calls fn for each VMA's part of [start, end). Holes are skipped and make the result -ENOMEM,
 * unless fn fails. fn may split and merge: the walk goes on by address.
 */
static s64 for_each_part(struct mm *mm, u64 start, u64 end, advise_fn fn, int advice)
{
	s64 result = 0;
	u64 at = start;

	while (at < end) {
		struct vma *v = vma_first(mm, at);
		u64 high;
		s64 err;

		if (!v || v->start >= end)
			return -ENOMEM;
		if (v->start > at) {
			result = -ENOMEM;
			at = v->start;
		}
		high = MIN(end, v->end);
		err = fn ? fn(mm, v, at, high, advice) : 0;
		if (err)
			return err;
		at = high;
	}
	return result;
}

static s64 advise_dontneed(struct mm *mm, struct vma *v, u64 start, u64 end, int advice)
{
	u64 s, e;

	if (v->flags & (VMA_LOCKED | VMA_SPECIAL))
		return -EINVAL;
	if (v->object)
		return 0; /* the contents belong to the object */
	if (v->file) {
		/* Read from the file again on the next access. */
		if (mm_reserve(mm))
			return -ENOMEM;
		pages_drop(mm, start, end);
		return 0;
	}
	for (u64 at = start; ranges_next(&mm->present, at, end, &s, &e); at = e)
		paging->discard(s, e - s);
	return 0;
}

static s64 advise_free(struct mm *mm, struct vma *v, u64 start, u64 end, int advice)
{
	if (v->object || v->file || v->flags & (VMA_LOCKED | VMA_SPECIAL | VMA_SHARED))
		return -EINVAL;
	return end - start >= FREE_MIN ? advise_dontneed(mm, v, start, end, advice) : 0;
}

/* Punches a hole into what others map, too. */
static s64 advise_remove(struct mm *mm, struct vma *v, u64 start, u64 end, int advice)
{
	u64 at = v->offset + (start - v->start);

	if (v->flags & (VMA_LOCKED | VMA_SPECIAL) || (!v->file && !v->object))
		return -EINVAL;
	if (!(v->flags & VMA_SHARED) || v->flags & VMA_NOWRITE)
		return -EACCES;
	if (v->file)
		return file_punch(v->file, at, end - start);
	object_punch(v->object, at / PAGE_SIZE, (end - start) / PAGE_SIZE);
	return 0;
}

static s64 advise_populate(struct mm *mm, struct vma *v, u64 start, u64 end, int advice)
{
	if (v->flags & VMA_SPECIAL || (advice == MADV_POPULATE_WRITE && !(v->prot & PROT_WRITE)) ||
	    !vma_accessible(v))
		return -EINVAL;
	if (pages_populate(mm, v, start, end) || pages_touch(v, start, end))
		return -ENOMEM;
	return v->file && vma_backed_end(v) < end ? -EFAULT : 0;
}

/* Sets or clears a flag of the part. */
static s64 flag_change(struct mm *mm, struct vma *v, u64 start, u64 end, u32 set, u32 clear)
{
	u32 flags = (v->flags | set) & ~clear;

	if (v->flags & VMA_SPECIAL)
		return -EINVAL;
	if (flags == v->flags)
		return 0;
	if (mm_reserve(mm) || vma_split_at(mm, start) || vma_split_at(mm, end))
		return -ENOMEM;
	v = mm_find(mm, start);
	v->flags = flags;
	vma_merge(mm, v);
	return 0;
}

/* What is present is told the host at once, the rest when it becomes so. */
static s64 advise_huge(struct mm *mm, struct vma *v, u64 start, u64 end, int advice)
{
	bool huge = advice == MADV_HUGEPAGE;
	u64 s, e;

	if (v->object || v->file || v->flags & VMA_SPECIAL)
		return 0;
	for (u64 at = start; ranges_next(&mm->present, at, end, &s, &e); at = e)
		paging->advise(s, e - s, advice);
	return flag_change(mm, v, start, end, huge ? 0 : VMA_NOHUGE, huge ? VMA_NOHUGE : 0);
}

static s64 advise_fork(struct mm *mm, struct vma *v, u64 start, u64 end, int advice)
{
	if (advice == MADV_DONTFORK)
		return flag_change(mm, v, start, end, VMA_DONTFORK, 0);
	if (advice == MADV_DOFORK)
		return flag_change(mm, v, start, end, 0, VMA_DONTFORK);
	if (v->file || v->flags & VMA_SHARED)
		return -EINVAL;
	if (advice == MADV_WIPEONFORK)
		return flag_change(mm, v, start, end, VMA_WIPEONFORK, 0);
	return flag_change(mm, v, start, end, 0, VMA_WIPEONFORK);
}

static s64 advise_none(struct mm *mm, struct vma *v, u64 start, u64 end, int advice)
{
	return 0;
}

static const struct {
	int advice;
	advise_fn fn;
} advices[] = {
	{MADV_NORMAL, advise_none},       {MADV_RANDOM, advise_none},
	{MADV_SEQUENTIAL, advise_none},   {MADV_WILLNEED, advise_none},
	{MADV_DONTNEED, advise_dontneed}, {MADV_FREE, advise_free},
	{MADV_REMOVE, advise_remove},
	{MADV_DONTFORK, advise_fork},     {MADV_DOFORK, advise_fork},
	{MADV_WIPEONFORK, advise_fork},   {MADV_KEEPONFORK, advise_fork},
	{MADV_MERGEABLE, advise_none},    {MADV_UNMERGEABLE, advise_none},
	{MADV_HUGEPAGE, advise_huge},     {MADV_NOHUGEPAGE, advise_huge},
	{MADV_DONTDUMP, advise_none},     {MADV_DODUMP, advise_none},
	{MADV_COLD, advise_none},         {MADV_PAGEOUT, advise_none},
	{MADV_POPULATE_READ, advise_populate}, {MADV_POPULATE_WRITE, advise_populate},
};

s64 sys_madvise(u64 addr, u64 len, u64 advice)
{
	advise_fn fn = NULL;
	u64 end;

	for (size_t i = 0; i < ARRAY_SIZE(advices); i++)
		if (advices[i].advice == (int)advice)
			fn = advices[i].fn;
	if (!fn || addr & (PAGE_SIZE - 1))
		return -EINVAL;
	end = addr + ALIGN_UP(len, PAGE_SIZE);
	if (end < addr || (len && end == addr))
		return -EINVAL;
	return for_each_part(current->proc->mm, addr, end, fn, (int)advice);
}

/*
 * A new owner; what MADV_DONTFORK and MADV_WIPEONFORK asked for; on the clone's own copy of the
 * tree.
 */
void mm_fork_child(struct mm *mm)
{
	struct vma *v, *next;

	mm->owner = current->proc->kp;
	aio_forget(mm);
	for (v = vma_first(mm, 0); v; v = next) {
		next = vma_next(v);
		if (v->flags & VMA_WIPEONFORK && mm_reserve(mm) == 0)
			pages_drop(mm, v->start, v->end);
		if (v->flags & VMA_DONTFORK)
			mm_unmap_range(mm, v->start, v->end);
	}
}

static s64 no_holes(u64 start, u64 end)
{
	return for_each_part(current->proc->mm, start, end, NULL, 0);
}

static s64 sync_part(struct mm *mm, struct vma *v, u64 start, u64 end, int unused)
{
	return vma_host_shared(v) ? file_sync_data(v->file) : 0;
}

s64 sys_msync(u64 addr, u64 len, u64 flags)
{
	u64 end = addr + ALIGN_UP(len, PAGE_SIZE);

	if (flags & ~(u64)(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || addr & (PAGE_SIZE - 1))
		return -EINVAL;
	if (flags & MS_ASYNC && flags & MS_SYNC)
		return -EINVAL;
	if (end < addr)
		return -ENOMEM;
	s64 err = no_holes(addr, end);
	/* Files in kin have nothing to write back, those of volumes go to the disk with the host's. */
	if (flags & MS_SYNC) {
		s64 failed = for_each_part(current->proc->mm, addr, end, sync_part, 0);
		if (failed && failed != -ENOMEM)
			return failed;
	}
	return err;
}

static s64 lock_part(struct mm *mm, struct vma *v, u64 start, u64 end, int unlock)
{
	s64 err;

	if (v->flags & VMA_SPECIAL)
		return 0;
	err = flag_change(mm, v, start, end, unlock ? 0 : VMA_LOCKED, unlock ? VMA_LOCKED : 0);
	if (err || unlock)
		return err;
	v = mm_find(mm, start);
	err = pages_populate(mm, v, start, end);
	return err ? err : pages_touch(v, start, end);
}

/* MLOCK_ONFAULT: what is used from now on. */
static s64 lock_on_fault(struct mm *mm, struct vma *v, u64 start, u64 end, int unused)
{
	return v->flags & VMA_SPECIAL ? 0 : flag_change(mm, v, start, end, VMA_LOCKED, 0);
}

static s64 lock_range(u64 addr, u64 len, advise_fn fn, bool unlock)
{
	u64 start = ALIGN_DOWN(addr, PAGE_SIZE);
	u64 end = start + ALIGN_UP(len + (addr - start), PAGE_SIZE);

	if (end < start)
		return -EINVAL;
	return for_each_part(current->proc->mm, start, end, fn, unlock);
}

s64 sys_mlock(u64 addr, u64 len)
{
	return lock_range(addr, len, lock_part, false);
}

s64 sys_mlock2(u64 addr, u64 len, u64 flags)
{
	if (flags & ~(u64)MLOCK_ONFAULT)
		return -EINVAL;
	return lock_range(addr, len, flags ? lock_on_fault : lock_part, false);
}

s64 sys_munlock(u64 addr, u64 len)
{
	return lock_range(addr, len, lock_part, true);
}

s64 sys_mlockall(u64 flags)
{
	if (!flags || flags & ~(u64)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags == MCL_ONFAULT)
		return -EINVAL;
	current->proc->mm->lock_future = flags & MCL_FUTURE ? 1 : 0;
	return 0;
}

s64 sys_munlockall(void)
{
	current->proc->mm->lock_future = 0;
	return 0;
}

#define MEMBARRIER_PRIVATE                                                                         \
	(MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |            \
	 MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |                                              \
	 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)

s64 sys_membarrier(u64 cmd, u64 flags, u64 cpu)
{
	struct mm *mm = current->proc->mm;

	if (flags)
		return -EINVAL;
	switch ((int)cmd) {
	case MEMBARRIER_CMD_QUERY:
		return MEMBARRIER_PRIVATE;
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
		mm->membarrier |= MEMBARRIER_CMD_PRIVATE_EXPEDITED;
		return 0;
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
		mm->membarrier |= MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE;
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		if (!(mm->membarrier & (u32)cmd))
			return -EPERM;
		full_barrier();
		return 0;
	default:
		return -EINVAL;
	}
}
