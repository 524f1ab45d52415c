/* SPDX-License-Identifier: ISC */
/*
 * Which pages there is memory for, mincore(2), and giving it to them at once. A page that is
 * present has a page-table entry, which mappings get before anybody uses them; the host gives
 * memory at the first use, and it alone knows.
 */
#include "kernel/arch/arch.h"
#include "kernel/mm/mm_internal.h"
#include "kernel/task/thread.h"

#include <asm/errno.h>
#include <linux/mman.h>

#include "kernel/kin/kin_core.h"
#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"

#define BATCH_PAGES PAGE_SIZE /* of one question, a byte for each */

int pages_touch(struct vma *v, u64 start, u64 end)
{
	u32 found;

	if (v->object || v->file || !vma_accessible(v))
		return 0;
	for (u64 at = start; at < end; at += PAGE_SIZE) {
		bool failed = v->prot & PROT_WRITE ? user_cmpxchg32((u32 *)at, 0, 0, &found)
										   : user_load32((u32 *)at, &found);

		if (failed)
			return -ENOMEM;
	}
	return 0;
}

/* Of a mapping with an object: the pages that it has. */
static void object_resident(struct vma *v, u64 start, u64 end, u8 *pages)
{
	u64 run;

	for (u64 at = start; at < end; at += PAGE_SIZE) {
		u64 index = (v->offset + (at - v->start)) / PAGE_SIZE;

		*pages++ = object_page(v->object, index, false, &run) != NULL;
	}
}

/* Of a file, all that it has is taken to be in the page cache. */
static void file_resident(struct vma *v, u64 start, u64 end, u8 *pages)
{
	u64 backed = vma_backed_end(v);

	for (u64 at = start; at < end; at += PAGE_SIZE)
		*pages++ = at < backed;
}

static void private_resident(struct mm *mm, u64 start, u64 end, u8 *pages)
{
	u64 s, e;

	memset(pages, 0, (end - start) / PAGE_SIZE);
	for (u64 at = start; ranges_next(&mm->present, at, end, &s, &e); at = e)
		paging->resident(s, e - s, pages + (s - start) / PAGE_SIZE);
}

/* pages: BATCH_PAGES of the kernel's memory. Until where in [start, end); start: a hole. */
static u64 batch(struct mm *mm, u64 start, u64 end, u8 *pages)
{
	struct vma *v = mm_find(mm, start);

	if (!v)
		return start;
	end = MIN(MIN(end, v->end), start + BATCH_PAGES * PAGE_SIZE);
	if (v->object)
		object_resident(v, start, end, pages);
	else if (v->file)
		file_resident(v, start, end, pages);
	else if (v->flags & VMA_SPECIAL)
		memset(pages, 1, (end - start) / PAGE_SIZE);
	else
		private_resident(mm, start, end, pages);
	for (u64 i = 0; i < (end - start) / PAGE_SIZE; i++)
		pages[i] &= 1;
	return end;
}

s64 sys_mincore(u64 addr, u64 len, u64 vec)
{
	u64 end = addr + ALIGN_UP(len, PAGE_SIZE), at = addr;
	u8 *pages;
	s64 err = 0;

	if (addr & (PAGE_SIZE - 1))
		return -EINVAL;
	if (len > USER_ADDRESS_END || addr > USER_ADDRESS_END - len)
		return -ENOMEM;
	pages = kpages_alloc(BATCH_PAGES / PAGE_SIZE);
	if (!pages)
		return -EAGAIN;
	while (at < end && !err) {
		u64 to = batch(current->proc->mm, at, end, pages);

		if (to == at)
			err = -ENOMEM;
		else if (copy_out((u8 *)vec + (at - addr) / PAGE_SIZE, pages, (to - at) / PAGE_SIZE))
			err = -EFAULT;
		at = to;
	}
	kpages_free(pages, BATCH_PAGES / PAGE_SIZE);
	return err;
}
