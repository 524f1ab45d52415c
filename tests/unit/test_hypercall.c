/* SPDX-License-Identifier: ISC */
/*
 * Validation of hypercalls: every kind of argument with the values that lie just inside and just
 * outside of what it may be, and that no handler runs on a refused call. Handlers are replaced by
 * one that counts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "monitor/core/core_internal.h"

#define AREA 0x30000000ull /* application memory that is really mapped, two pages */
#define GAP (AREA + 2 * PAGE_SIZE)

static unsigned handled;

#define HYPERCALL(name, ...)                                      \
	s64 hyp_##name(struct member *m, struct hypercall_call *call) \
	{                                                             \
		handled++;                                                \
		return (s64)call->number;                                 \
	}
#include "abi/hypercalls.def"
#undef HYPERCALL

bool handle_valid(const struct member *m, u64 handle)
{
	return handle <= 2 || handle == 7;
}

_Noreturn void member_die(struct member *m, const char *fmt, ...)
{
	abort();
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	if (!guarded_fix(context))
		abort();
}

static s64 check(u64 number, u64 a, u64 b, u64 c, u64 d, u64 e)
{
	static struct hypercall_call call;
	struct family f = {0};
	struct member m = {.family = &f};

	call.number = number;
	memcpy(call.arg, (u64[]){a, b, c, d, e, 0}, sizeof(call.arg));
	return hypercall_check(&m, &call);
}

static void test_number(void **state)
{
	assert_int_equal(check(HYP_yield, 0, 0, 0, 0, 0), 0);
	assert_int_equal(check(HYPERCALL_COUNT, 0, 0, 0, 0, 0), -ENOSYS);
	assert_int_equal(check(~0ull, 0, 0, 0, 0, 0), -ENOSYS);
}

static void test_member(void **state)
{
	assert_int_equal(check(HYP_wake, MEMBERS_MAX - 1, 0, 0, 0, 0), 0);
	assert_int_equal(check(HYP_wake, MEMBERS_MAX, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(check(HYP_clone, ~0ull, 0, 0, 0, 0), -EINVAL);
}

static void test_buffer(void **state)
{
	assert_int_equal(check(HYP_random, PRIVATE_BASE, 1, 0, 0, 0), 0);
	assert_int_equal(check(HYP_random, PRIVATE_BASE - 1, 1, 0, 0, 0), -EFAULT);
	assert_int_equal(check(HYP_random, PRIVATE_END - 1, 1, 0, 0, 0), 0);
	assert_int_equal(check(HYP_random, PRIVATE_END - 1, 2, 0, 0, 0), -EFAULT);
	assert_int_equal(check(HYP_random, KIN_BASE, 8, 0, 0, 0), 0);
	assert_int_equal(check(HYP_random, KIN_END - 8, 8, 0, 0, 0), 0);
	assert_int_equal(check(HYP_random, KIN_END - 8, 9, 0, 0, 0), -EFAULT);
	assert_int_equal(check(HYP_random, KIN_END, 1, 0, 0, 0), -EFAULT);
	assert_int_equal(check(HYP_random, ~0ull, 1, 0, 0, 0), -EFAULT);
	assert_int_equal(check(HYP_random, ~0ull - 7, 16, 0, 0, 0), -EFAULT);
	assert_int_equal(check(HYP_random, AREA, 16u << 20, 0, 0, 0), 0);
	assert_int_equal(check(HYP_random, AREA, (16u << 20) + 1, 0, 0, 0), -EINVAL);
	assert_int_equal(check(HYP_random, AREA, ~0ull, 0, 0, 0), -EINVAL);
	assert_int_equal(check(HYP_random, 0, 0, 0, 0, 0), 0);
	assert_int_equal(check(HYP_random, (u64)&handled, 8, 0, 0, 0), -EFAULT);
}

static void test_range(void **state)
{
	assert_int_equal(check(HYP_unmap, AREA, PAGE_SIZE, 0, 0, 0), 0);
	assert_int_equal(check(HYP_unmap, AREA + 1, PAGE_SIZE, 0, 0, 0), -EINVAL);
	assert_int_equal(check(HYP_unmap, AREA, PAGE_SIZE + 1, 0, 0, 0), -EINVAL);
	assert_int_equal(check(HYP_unmap, AREA, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(check(HYP_unmap, AREA, ~(PAGE_SIZE - 1), 0, 0, 0), -EINVAL);
	assert_int_equal(check(HYP_unmap, PRIVATE_BASE, KERNEL_BASE - PRIVATE_BASE, 0, 0, 0), 0);
	assert_int_equal(
		check(HYP_unmap, PRIVATE_BASE, KERNEL_BASE - PRIVATE_BASE + PAGE_SIZE, 0, 0, 0), -EINVAL);
	assert_int_equal(check(HYP_unmap, KERNEL_BASE, PAGE_SIZE, 0, 0, 0), -EINVAL);
	assert_int_equal(check(HYP_unmap, KERNEL_END - PAGE_SIZE, PAGE_SIZE, 0, 0, 0), -EINVAL);
	assert_int_equal(check(HYP_unmap, KERNEL_END, PRIVATE_END - KERNEL_END, 0, 0, 0), 0);
	assert_int_equal(check(HYP_unmap, PRIVATE_END, PAGE_SIZE, 0, 0, 0), -EINVAL);
	assert_int_equal(check(HYP_unmap, KIN_BASE, PAGE_SIZE, 0, 0, 0), -EINVAL);
	assert_int_equal(check(HYP_unmap, 0, PAGE_SIZE, 0, 0, 0), -EINVAL);
}

static void test_kin(void **state)
{
	u64 area = ALIGN_UP(sizeof(struct kin_header), PAGE_SIZE);

	assert_int_equal(check(HYP_kin_discard, area, PAGE_SIZE, 0, 0, 0), 0);
	assert_int_equal(check(HYP_kin_discard, area - PAGE_SIZE, PAGE_SIZE, 0, 0, 0), -EINVAL);
	assert_int_equal(check(HYP_kin_discard, 0, KIN_SIZE, 0, 0, 0), -EINVAL);
	assert_int_equal(check(HYP_kin_discard, area, KIN_SIZE - area, 0, 0, 0), 0);
	assert_int_equal(check(HYP_kin_discard, area, KIN_SIZE, 0, 0, 0), -EINVAL);
	assert_int_equal(check(HYP_map_kin, AREA, PAGE_SIZE, area, PROT_READ, 0), 0);
	assert_int_equal(check(HYP_map_kin, AREA, PAGE_SIZE, KIN_SIZE, PROT_READ, 0), -EINVAL);
	assert_int_equal(check(HYP_map_kin, AREA, 2 * PAGE_SIZE, KIN_SIZE - PAGE_SIZE, PROT_READ, 0),
					 -EINVAL);
	assert_int_equal(check(HYP_futex_wake, KIN_BASE, 1, 0, 0, 0), 0);
	assert_int_equal(check(HYP_futex_wake, KIN_BASE + 2, 1, 0, 0, 0), -EFAULT);
	assert_int_equal(check(HYP_futex_wake, KIN_END - 4, 1, 0, 0, 0), 0);
	assert_int_equal(check(HYP_futex_wake, KIN_END, 1, 0, 0, 0), -EFAULT);
	assert_int_equal(check(HYP_futex_wake, AREA, 1, 0, 0, 0), -EFAULT);
}

static void test_handle(void **state)
{
	assert_int_equal(check(HYP_fs_close, 7, 0, 0, 0, 0), 0);
	assert_int_equal(check(HYP_fs_close, 8, 0, 0, 0, 0), -EBADF);
	assert_int_equal(check(HYP_fs_close, ~0ull, 0, 0, 0, 0), -EBADF);
	assert_int_equal(check(HYP_fs_close, 7 + (1ull << 32), 0, 0, 0, 0), -EBADF);
	assert_int_equal(check(HYP_map_file, AREA, PAGE_SIZE, PROT_READ, 9, 0), -EBADF);
}

static void test_path(void **state)
{
	/* cmocka installs a handler of its own around each test */
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
	char *area = (char *)AREA;
	size_t size = 2 * PAGE_SIZE;

	assert_int_equal(sigaction(SIGSEGV, &sa, NULL), 0);
	memset(area, 'x', size);
	assert_int_equal(check(HYP_fs_open, 0, AREA, 0, 0, 0), -ENAMETOOLONG);
	area[HYPERCALL_PATH_MAX - 1] = 0;
	assert_int_equal(check(HYP_fs_open, 0, AREA, 0, 0, 0), 0);
	assert_int_equal(check(HYP_fs_open, 0, GAP - 1, 0, 0, 0), -EFAULT); /* runs into the gap */
	area[size - 1] = 0;
	assert_int_equal(check(HYP_fs_open, 1, GAP - 1, 0, 0, 0), -EINVAL); /* no such volume */
	assert_int_equal(check(HYP_fs_open, 0, GAP - 1, 0, 0, 0), 0); /* ends before it */
	assert_int_equal(check(HYP_fs_open, 0, GAP, 0, 0, 0), -EFAULT);
	assert_int_equal(check(HYP_fs_open, 0, 0, 0, 0, 0), -EFAULT);
	assert_int_equal(check(HYP_fs_open, 0, (u64) "x", 0, 0, 0), -EFAULT);
}

/* The guest's memory is a page inside the window: dispatch as a backend calls it. */
static void test_dispatch(void **state)
{
	struct hypercall_frame *frame = (struct hypercall_frame *)HYPERCALL_ADDR;
	struct family f = {0};
	struct member m = {.family = &f};

	handled = 0;
	*frame = (struct hypercall_frame){.number = HYP_wake, .arg = {5}};
	hypercall_dispatch(&m);
	assert_int_equal(handled, 1);
	assert_int_equal(m.counts[HYP_wake], 1);
	assert_int_equal(frame->ret, HYP_wake);
	frame->arg[0] = MEMBERS_MAX;
	hypercall_dispatch(&m);
	assert_int_equal(handled, 1);
	assert_int_equal(frame->ret, -EINVAL);
	frame->number = 1ull << 40;
	hypercall_dispatch(&m);
	assert_int_equal(handled, 1);
	assert_int_equal(frame->ret, -ENOSYS);
}

static void map(u64 addr, size_t len)
{
	void *p = mmap((void *)addr, len, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	assert_true(p == (void *)addr);
}

static int setup(void **state)
{
	map(AREA, 2 * PAGE_SIZE);
	map(ALIGN_DOWN(HYPERCALL_ADDR, PAGE_SIZE), PAGE_SIZE);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number), cmocka_unit_test(test_member),
		cmocka_unit_test(test_buffer), cmocka_unit_test(test_range),
		cmocka_unit_test(test_kin),    cmocka_unit_test(test_handle),
		cmocka_unit_test(test_path),   cmocka_unit_test(test_dispatch),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
