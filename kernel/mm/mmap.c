/* SPDX-License-Identifier: ISC */
/*
 * Making, changing and removing mappings: mmap(2), munmap(2), mprotect(2), brk(2), with Linux'
 * results and errors in Linux' order of checks. One difference: there are a few ranges of addresses
 * in which no memory can be had (mm_hidden). Reservations, PROT_NONE, are bookkeeping everywhere.
 */
#include "kernel/arch/arch.h"
#include "kernel/mm/call_sites.h"
#include "kernel/mm/mm_internal.h"
#include "kernel/task/thread.h"

#include <asm-generic/resource.h>
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "kernel/kin/kin_core.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/modes.h"
#include "kernel/syscall/syscall.h"

#define LOW_TOP 0x80000000ull /* MAP_32BIT */
/* What MAP_SHARED_VALIDATE lets pass: MAP_SYNC is for memory that keeps its contents. */
#define MAP_KNOWN                                                                                  \
	(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT | MAP_GROWSDOWN | MAP_DENYWRITE |            \
	 MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |       \
	 MAP_HUGETLB | MAP_FIXED_NOREPLACE | MAP_HUGE_MASK << MAP_HUGE_SHIFT)

struct mm *mm_create(void)
{
	struct mm *mm = kmalloc_hot(sizeof(*mm));

	if (!mm)
		return NULL;
	RB_INIT(&mm->vmas);
	mm->mmap_top = USER_STACK_TOP - USER_STACK_SIZE - STACK_GUARD;
	mm->refs = 1;
	return mm;
}

void mm_reset(struct mm *mm)
{
	struct vma *v;
	u32 refs = mm->refs;

	pages_drop_all(mm);
	aio_forget(mm);
	while ((v = vma_first(mm, 0)))
		vma_remove(mm, v);
	ranges_clear(&mm->present);
	mm->brk_start = mm->brk_end = 0;
	if (mm->auxv)
		kfree(mm->auxv);
	mm->auxv = NULL;
	mm->loader_start = mm->loader_end = 0;
	mm->locked_pages = 0;
	mm->lock_future = mm->membarrier = 0;
	mm->refs = refs;
}

int vma_split_at(struct mm *mm, u64 addr)
{
	struct vma *v = mm_find(mm, addr);

	if (!v || v->start == addr || v->flags & VMA_SPECIAL)
		return 0;
	if (mm->vma_count >= MAP_COUNT_MAX)
		return -ENOMEM;
	vma_split(mm, v, addr);
	return 0;
}

int mm_unmap_range(struct mm *mm, u64 start, u64 end)
{
	struct vma *v, *next;

	if (vma_range_free(mm, start, end))
		return 0;
	if (mm_reserve(mm) || vma_split_at(mm, start) || vma_split_at(mm, end))
		return -ENOMEM;
	pages_drop(mm, start, end);
	for (v = vma_first(mm, start); v && v->start < end; v = next) {
		next = vma_next(v);
		if (!(v->flags & VMA_SPECIAL))
			vma_remove(mm, v);
	}
	return 0;
}

s64 mm_unmap(struct mm *mm, u64 addr, u64 len)
{
	if (addr & (PAGE_SIZE - 1) || len == 0 || len > USER_ADDRESS_END ||
		addr > USER_ADDRESS_END - len)
		return -EINVAL;
	return mm_unmap_range(mm, addr, addr + ALIGN_UP(len, PAGE_SIZE));
}

bool mm_may_grow(struct mm *mm, u64 len)
{
	u64 limit = mm_rlimit(RLIMIT_AS);

	return mm->vma_count < MAP_COUNT_MAX && mm->total_pages * PAGE_SIZE <= limit &&
	       len <= limit - mm->total_pages * PAGE_SIZE;
}

static void references_put(const struct vma *model)
{
	if (model->object)
		holding_drop(model->object);
	if (model->file)
		holding_drop(model->file);
}

s64 mm_place(struct mm *mm, const struct vma *model, bool populate)
{
	u64 start = model->start, end = model->end;
	struct vma *v;
	int err;

	err = mm_unmap_range(mm, start, end);
	if (!err)
		err = mm_reserve(mm);
	if (err) {
		references_put(model);
		return err;
	}
	v = vma_insert(mm, model);
	err = populate ? pages_populate(mm, v, start, end) : pages_populate_eager(mm, v, start, end);
	if (populate && !err)
		pages_touch(v, start, end);
	if (err && !populate) {
		mm_unmap_range(mm, start, end);
		return err;
	}
	return (s64)start;
}

/* MAP_FIXED and MAP_FIXED_NOREPLACE. */
static s64 address_fixed(struct mm *mm, u64 addr, u64 len, bool accessible, u32 flags)
{
	bool noreplace = flags & MAP_FIXED_NOREPLACE;

	if (len > USER_ADDRESS_END || addr > USER_ADDRESS_END - len)
		return -ENOMEM;
	if (addr & (PAGE_SIZE - 1))
		return -EINVAL;
	if (addr < PRIVATE_BASE)
		return -EPERM;
	if (!range_allowed(addr, len, accessible))
		return noreplace ? -EEXIST : -ENOMEM;
	call_table_yield(mm, addr, addr + len);
	if (noreplace && !vma_range_free(mm, addr, addr + len))
		return -EEXIST;
	return (s64)addr;
}

/* Free, and clear of the guard below a growing mapping. */
static bool hint_free(struct mm *mm, u64 addr, u64 len)
{
	struct vma *v = vma_first(mm, addr);
	u64 guard = v && v->flags & VMA_GROWSDOWN ? STACK_GUARD : 0;

	return range_allowed(addr, len, true) && (!v || addr + len + guard <= v->start);
}

static s64 address_choose(struct mm *mm, u64 hint, u64 len, u32 flags)
{
	u64 align = len >= HUGE_SIZE ? HUGE_SIZE : PAGE_SIZE;
	u64 top = flags & MAP_32BIT ? LOW_TOP : mm->mmap_top;
	u64 addr;

	if (len > USER_ADDRESS_END)
		return -ENOMEM;
	if (hint) {
		addr = ALIGN_UP(MAX(hint, (u64)PRIVATE_BASE), PAGE_SIZE);
		if (addr >= hint && hint_free(mm, addr, len))
			return (s64)addr;
	}
	addr = vma_gap(mm, len, align, PRIVATE_BASE, top);
	if (!addr && align > PAGE_SIZE)
		addr = vma_gap(mm, len, PAGE_SIZE, PRIVATE_BASE, top);
	if (!addr && !(flags & MAP_32BIT))
		addr = vma_gap(mm, len, PAGE_SIZE, mm->mmap_top, USER_ADDRESS_END);
	return addr ? (s64)addr : -ENOMEM;
}

static s64 check_file(struct file *f, u32 prot, u32 flags)
{
	u32 open_flags = file_open_flags(f), mode = open_flags & O_ACCMODE;
	u32 type = flags & MAP_TYPE;

	if (type == MAP_SHARED_VALIDATE && flags & ~(u32)MAP_KNOWN)
		return -EOPNOTSUPP;
	if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (type != MAP_PRIVATE && prot & PROT_WRITE && mode != O_RDWR)
		return -EACCES;
	if (mode == O_WRONLY)
		return -EACCES;
	if (!file_mappable(f) && !file_is_zero(f))
		return -ENODEV;
	return flags & MAP_GROWSDOWN ? -EINVAL : 0;
}

/* Is it of a kind whose positions are bounded? */
static bool file_has_size(struct file *f)
{
	struct kstat st = {0};

	return !file_describe(f, &st) && (S_ISREG(st.mode) || S_ISSOCK(st.mode));
}

static s64 check_anon(u32 flags)
{
	u32 type = flags & MAP_TYPE;

	if (type == MAP_SHARED)
		return flags & MAP_GROWSDOWN ? -EINVAL : 0;
	return type == MAP_PRIVATE ? 0 : -EINVAL;
}

static u32 vma_flags(struct mm *mm, u32 flags)
{
	u32 f = (flags & MAP_TYPE) != MAP_PRIVATE ? VMA_SHARED : 0;

	if (flags & MAP_GROWSDOWN)
		f |= VMA_GROWSDOWN;
	if (flags & MAP_NORESERVE)
		f |= VMA_NORESERVE;
	if (flags & MAP_LOCKED || mm->lock_future)
		f |= VMA_LOCKED;
	return f;
}

/*
 * What is mapped: fills in file and object, each with a reference that is a holding of the process.
 */
static s64 model_back(struct vma *model, struct file *f, u64 len)
{
	bool shared = model->flags & VMA_SHARED;

	if (f) {
		bool both = (file_open_flags(f) & O_ACCMODE) == O_RDWR;
		s64 sealed = shared ? seals_allow_map(f, model->prot & PROT_WRITE) : 1;
		if (sealed < 0)
			return sealed;
		if (!sealed)
			model->flags |= VMA_NOWRITE;
		if (shared)
			model->object = file_shared_object(f);
		if (shared && !model->object && !file_maps_host(f) && both)
			return -ENODEV;
		if (shared && !both)
			model->flags |= VMA_NOWRITE;
	} else if (shared) {
		model->object = object_create(len / PAGE_SIZE);
		if (!model->object)
			return -ENOMEM;
		own_give(hold_new(OWN_OBJECT), model->object);
	}
	if (model->object && holding_take(OWN_OBJECT, hold_of(OWN_OBJECT, model->object)))
		return -ENOMEM;
	if (f) {
		file_hold(f);
		if (holding_take(OWN_FILE, hold_of(OWN_FILE, f))) {
			if (model->object)
				holding_drop(model->object);
			return -ENOMEM;
		}
		model->file = f;
	}
	return 0;
}

static bool promises_memory(u32 prot, u32 flags, const struct file *f)
{
	if (flags & MAP_NORESERVE)
		return false;
	return (flags & MAP_TYPE) == MAP_PRIVATE ? prot & PROT_WRITE : !f;
}

s64 mm_map(struct mm *mm, u64 addr, u64 len, u32 prot, u32 flags, struct file *f, u64 offset)
{
	bool accessible = prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
	struct vma model = {0};
	s64 where, err;

	if (len == 0)
		return -EINVAL;
	if (len > -PAGE_SIZE)
		return -ENOMEM;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (offset + len < offset || (f && offset + len > (u64)INT64_MAX && file_has_size(f)))
		return -EOVERFLOW;
	if (mm->vma_count > MAP_COUNT_MAX)
		return -ENOMEM;
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
		where = address_fixed(mm, addr, len, accessible, flags);
	else
		where = address_choose(mm, addr, len, flags);
	if (where < 0)
		return where;
	err = f ? check_file(f, prot, flags) : check_anon(flags);
	if (err)
		return err;
	if (f && file_is_zero(f))
		f = NULL;
	if (!mm_may_grow(mm, len) || (promises_memory(prot, flags, f) && !memory_may_commit(len)))
		return -ENOMEM;
	model.start = (u64)where;
	model.end = (u64)where + len;
	model.prot = prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
	model.flags = vma_flags(mm, flags);
	model.offset = f ? offset : 0;
	err = model_back(&model, f, len);
	if (err)
		return err;
	return mm_place(mm, &model, flags & MAP_POPULATE || model.flags & VMA_LOCKED);
}

static s64 protect_part(struct mm *mm, struct vma *v, u64 start, u64 end, u32 prot)
{
	bool was_accessible = vma_accessible(v);

	if (v->flags & VMA_SPECIAL || (prot & PROT_WRITE && v->flags & VMA_NOWRITE))
		return -EACCES;
	if (prot && !range_allowed(start, end - start, true))
		return -ENOMEM;
	if (v->prot == prot)
		return 0;
	if (prot & PROT_WRITE && !(v->prot & PROT_WRITE) &&
		!(v->flags & (VMA_SHARED | VMA_NORESERVE)) && !memory_may_commit(end - start))
		return -ENOMEM;
	if (mm_reserve(mm) || vma_split_at(mm, start) || vma_split_at(mm, end))
		return -ENOMEM;
	v = mm_find(mm, start);
	v->prot = prot;
	pages_protect(mm, start, end, prot);
	v = vma_merge(mm, v);
	if (!was_accessible)
		pages_populate_eager(mm, v, start, end); /* failing that, by fault */
	return 0;
}

s64 mm_protect(struct mm *mm, u64 addr, u64 len, u32 prot)
{
	u64 end, high;

	if (addr & (PAGE_SIZE - 1))
		return -EINVAL;
	if (len == 0)
		return 0;
	end = addr + ALIGN_UP(len, PAGE_SIZE);
	if (end <= addr)
		return -ENOMEM;
	if (prot & ~(u32)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
		return -EINVAL;
	prot &= ~(u32)PROT_SEM;
	for (u64 at = addr; at < end; at = high) {
		struct vma *v = mm_find(mm, at);
		s64 err;

		if (!v)
			return -ENOMEM;
		high = MIN(end, v->end);
		err = protect_part(mm, v, at, high, prot);
		if (err)
			return err;
	}
	return 0;
}

s64 sys_mmap(u64 addr, u64 len, u64 prot, u64 flags, u64 fd, u64 offset)
{
	struct mm *mm = current->proc->mm;
	struct file *f = NULL;
	s64 ret;

	if (offset & (PAGE_SIZE - 1))
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS)) {
		f = fd_get((int)fd);
		if (!f)
			return -EBADF;
	} else if (flags & MAP_HUGETLB) {
		return -ENOMEM; /* no huge pages are reserved: as on a host with nr_hugepages 0 */
	}
	if (f && flags & MAP_HUGETLB)
		ret = -EINVAL;
	else
		ret = mm_map(mm, addr, len, (u32)prot, (u32)flags, f, f ? offset : 0);
	if (f && ret >= 0 && prot & PROT_EXEC)
		sites_mapped(mm, mm_find(mm, (u64)ret));
	if (f)
		file_put(f);
	return ret;
}

s64 sys_munmap(u64 addr, u64 len)
{
	return mm_unmap(current->proc->mm, addr, len);
}

s64 sys_mprotect(u64 addr, u64 len, u64 prot)
{
	struct mm *mm = current->proc->mm;

	if ((prot & (PROT_GROWSDOWN | PROT_GROWSUP)) == (PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if (prot & PROT_GROWSUP)
		return -EINVAL;
	if (prot & PROT_GROWSDOWN && len && !(addr & (PAGE_SIZE - 1))) {
		struct vma *v = mm_find(mm, addr);

		if (!v)
			return -ENOMEM;
		if (!(v->flags & VMA_GROWSDOWN))
			return -EINVAL;
		len += addr - v->start;
		addr = v->start;
	}
	return mm_protect(mm, addr, len, (u32)(prot & ~(u64)PROT_GROWSDOWN));
}

static bool brk_grow(struct mm *mm, u64 old, u64 new)
{
	struct vma model = {.start = old, .end = new, .prot = PROT_READ | PROT_WRITE, .flags =
		VMA_HEAP};

	if (!range_allowed(old, new - old, true) || !mm_may_grow(mm, new - old) ||
		!memory_may_commit(new - old))
		return false;
	call_table_yield(mm, old, new + BRK_GUARD);
	if (!vma_range_free(mm, old, new + BRK_GUARD))
		return false;
	if (mm->lock_future)
		model.flags |= VMA_LOCKED;
	return mm_place(mm, &model, false) >= 0;
}

s64 sys_brk(u64 addr)
{
	struct mm *mm = current->proc->mm;
	u64 old = ALIGN_UP(mm->brk_end, PAGE_SIZE), new = ALIGN_UP(addr, PAGE_SIZE);

	if (addr < mm->brk_start || new < addr || addr - mm->brk_start > mm_rlimit(RLIMIT_DATA))
		return (s64)mm->brk_end;
	if (new < old && mm_unmap_range(mm, new, old))
		return (s64)mm->brk_end;
	if (new > old && !brk_grow(mm, old, new))
		return (s64)mm->brk_end;
	mm->brk_end = addr;
	return (s64)addr;
}
