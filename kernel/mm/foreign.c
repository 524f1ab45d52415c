/* SPDX-License-Identifier: ISC */
/*
 * The memory of this member for somebody else: a tracer, who reads and writes whatever the rights
 * of the program itself are (breakpoints in its text), or process_vm_readv, which does not.
 */
#include "kernel/mm/mm_internal.h"

#include <asm/errno.h>
#include <linux/mman.h>

#include "kernel/lib/lib.h"

static bool transfer(u64 at, char *data, u64 n, bool write)
{
	return !(write ? copy_out((void *)at, data, n) : copy_in(data, (void *)at, n));
}

/* Text, and what else is accessible, but not in this way: its page has other rights meanwhile. */
static bool transfer_opened(struct mm *mm, const struct vma *v, u64 at, char *data, u64 n)
{
	u64 page = ALIGN_DOWN(at, PAGE_SIZE);
	int open = PROT_READ | PROT_WRITE | (int)(v->prot & PROT_EXEC);

	if (mm_accessible(mm, at, n, false) < n || paging->protect(page, PAGE_SIZE, open) < 0)
		return false;
	memcpy((void *)at, data, n);
	paging->protect(page, PAGE_SIZE, (int)v->prot);
	return true;
}

/* Memory without any rights: it has some for a moment. */
static bool transfer_hidden(struct mm *mm, u64 at, char *data, u64 n, bool write)
{
	u64 page = ALIGN_DOWN(at, PAGE_SIZE);

	if (mm_protect(mm, page, PAGE_SIZE, PROT_READ | PROT_WRITE))
		return false;
	bool done = transfer(at, data, n, write);
	return !mm_protect(mm, page, PAGE_SIZE, PROT_NONE) && done;
}

static bool access_piece(struct mm *mm, u64 at, char *data, u64 n, bool write, bool force)
{
	const struct vma *v = mm_find(mm, at);

	if (v && v->flags & VMA_SPECIAL) {
		if (write || at < VDSO_ADDR || at + n > VDSO_ADDR + VDSO_SIZE)
			return false;
		memcpy(data, (void *)at, n);
		return true;
	}
	if (!v || mm_accessible(mm, at, n, write) >= n)
		return transfer(at, data, n, write);
	if (!force || v->flags & VMA_SHARED)
		return false;
	return vma_accessible(v) ? write && transfer_opened(mm, v, at, data, n)
							 : transfer_hidden(mm, at, data, n, write);
}

s64 mm_access(struct mm *mm, u64 at, void *data, u64 len, bool write, bool force)
{
	u64 done = 0;

	while (done < len) {
		u64 n = MIN(len - done, PAGE_SIZE - (at + done) % PAGE_SIZE);

		if (!access_piece(mm, at + done, (char *)data + done, n, write, force))
			break;
		done += n;
	}
	return done || !len ? (s64)done : -EFAULT;
}
