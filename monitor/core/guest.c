/* SPDX-License-Identifier: ISC */
/*
 * Guest memory as the monitor sees it. A checked guest address is a host address (abi/layout.h),
 * but the page behind it may be inaccessible (process backend: PROT_NONE; both: a mapped file
 * that shrank), so structures are copied with a guard, and bulk data goes straight from or into
 * host system calls, which answer EFAULT.
 */
#include <errno.h>

#include "abi/layout.h"
#include "monitor/core/core_internal.h"

static bool range_within(u64 addr, u64 len, u64 start, u64 end)
{
	return addr >= start && addr <= end && len <= end - addr;
}

static bool within_zone(const struct family *f, u64 addr, u64 len)
{
	for (u32 i = 0; i < f->zone_count; i++)
		if (range_within(addr, len, f->zones[i].start, f->zones[i].end))
			return true;
	return false;
}

FORK_PATH bool guest_range_valid(const struct family *f, u64 addr, u64 len)
{
	return range_within(addr, len, PRIVATE_BASE, PRIVATE_END) ||
		   range_within(addr, len, KIN_BASE, KIN_END) || within_zone(f, addr, len);
}

bool guest_app_range_valid(const struct family *f, u64 addr, u64 len)
{
	if (((addr | len) & (PAGE_SIZE - 1)) || len == 0)
		return false;
	return range_within(addr, len, PRIVATE_BASE, KERNEL_BASE) ||
		   range_within(addr, len, KERNEL_END, PRIVATE_END) || within_zone(f, addr, len);
}

bool guest_kin_pages_valid(u64 offset, u64 len)
{
	u64 area = ALIGN_UP(sizeof(struct kin_header), PAGE_SIZE);

	if (((offset | len) & (PAGE_SIZE - 1)) || len == 0)
		return false;
	return range_within(offset, len, area, KIN_SIZE);
}

FORK_PATH s64 guest_read(void *dst, u64 addr, size_t len)
{
	return guarded_copy(dst, (const void *)addr, len) ? -EFAULT : 0;
}

FORK_PATH s64 guest_write(u64 addr, const void *src, size_t len)
{
	return guarded_copy((void *)addr, src, len) ? -EFAULT : 0;
}

/* A page at a time: the string may end just before a page that is not there. */
s64 guest_string(const struct family *f, char *dst, u64 addr, size_t size)
{
	size_t done = 0;

	while (done < size) {
		u64 at = addr + done;
		size_t chunk = MIN(size - done, PAGE_SIZE - (at & (PAGE_SIZE - 1)));

		if (!guest_range_valid(f, at, chunk) || guarded_copy(dst + done, (const void *)at, chunk))
			return -EFAULT;
		char *nul = __builtin_memchr(dst + done, 0, chunk);
		if (nul)
			return nul - dst;
		done += chunk;
	}
	return -ENAMETOOLONG;
}
