/* SPDX-License-Identifier: ISC */
/*
 * Copies between the kernel and the application. Both share the address space, so that the checks
 * here are what keeps a system call from reading or writing kernel memory on the application's
 * behalf; that is for correct errors (EFAULT), the boundary of a member is its monitor.
 */
#include <asm/errno.h>

#include "kernel/arch/x86_64/arch_internal.h"
#include "kernel/lib/lib.h"

#define STRING_STEP 64

static bool overlaps(u64 addr, u64 len, u64 start, u64 end)
{
	return addr < end && addr + len > start;
}

bool user_range_ok(u64 addr, u64 len)
{
	if (len > USER_ADDRESS_END || addr > USER_ADDRESS_END - len)
		return false;
	if (addr >= KIN_END || addr + len <= KERNEL_BASE)
		return true;
	/*
	 * Between the two parts of the kernel's window lies application code: the vDSO and displaced
	 * calls.
	 */
	return !overlaps(addr, len, KERNEL_BASE, VDSO_ADDR) &&
	       !overlaps(addr, len, SITE_STUBS_ADDR, KERNEL_END) &&
	       !overlaps(addr, len, KIN_BASE, KIN_END);
}

/* How much of [addr, +len) lies before the kernel's own memory. */
static u64 user_range_clip(u64 addr, u64 len)
{
	static const u64 starts[] = { KERNEL_BASE, SITE_STUBS_ADDR, KIN_BASE, USER_ADDRESS_END };

	if (user_range_ok(addr, len))
		return len;
	if (!user_range_ok(addr, 1))
		return 0;
	for (u32 i = 0; i < ARRAY_SIZE(starts); i++)
		if (addr < starts[i])
			return MIN(len, starts[i] - addr);
	return 0;
}

size_t copy_in_some(void *dst, const void *user_src, size_t n)
{
	size_t ok = user_range_clip((u64)user_src, n);

	return n - ok + user_copy(dst, user_src, ok);
}

size_t copy_out_some(void *user_dst, const void *src, size_t n)
{
	size_t ok = user_range_clip((u64)user_dst, n);

	return n - ok + user_copy(user_dst, src, ok);
}

int copy_in(void *dst, const void *user_src, size_t n)
{
	if (!user_range_ok((u64)user_src, n) || user_copy(dst, user_src, n))
		return -EFAULT;
	return 0;
}

int copy_out(void *user_dst, const void *src, size_t n)
{
	if (!user_range_ok((u64)user_dst, n) || user_copy(user_dst, src, n))
		return -EFAULT;
	return 0;
}

int clear_out(void *user_dst, size_t n)
{
	if (!user_range_ok((u64)user_dst, n) || user_zero(user_dst, n))
		return -EFAULT;
	return 0;
}

/*
 * In steps that do not cross a page, so that a string that ends before an unmapped page is read in
 * full.
 */
s64 string_in(char *dst, const void *user_src, size_t size)
{
	u64 src = (u64)user_src;
	size_t at = 0;

	while (at < size) {
		size_t step = MIN(MIN(size - at, (size_t)STRING_STEP), PAGE_SIZE - (src + at) % PAGE_SIZE);
		size_t got = step - copy_in_some(dst + at, (void *)(src + at), step);
		char *end = memchr(dst + at, 0, got);

		if (end)
			return end - dst;
		if (got < step)
			return -EFAULT;
		at += step;
	}
	return -ENAMETOOLONG;
}

s64 struct_in(void *dst, size_t size, const void *user_src, u64 user_size)
{
	const u8 *src = user_src;
	u8 unknown;

	if (user_size > PAGE_SIZE)
		return -E2BIG;
	for (u64 i = size; i < user_size; i++) {
		if (copy_in(&unknown, src + i, 1))
			return -EFAULT;
		if (unknown)
			return -E2BIG;
	}
	memset(dst, 0, size);
	return copy_in(dst, src, MIN(size, user_size)) ? -EFAULT : 0;
}

static bool word_ok(const u32 *addr)
{
	return (u64)addr % 4 == 0 && user_range_ok((u64)addr, 4);
}

int user_load32(const u32 *addr, u32 *value)
{
	return word_ok(addr) && !user_read32(addr, value) ? 0 : -EFAULT;
}

int user_cmpxchg32(u32 *addr, u32 expected, u32 desired, u32 *found)
{
	return word_ok(addr) && !user_swap32(addr, expected, desired, found) ? 0 : -EFAULT;
}
