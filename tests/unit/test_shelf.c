/* SPDX-License-Identifier: ISC */
/*
 * The shelf for open files without a name: what is kept can be found, as often as it is wanted, by
 * those who know its word, and goes when the word changes. Two words stand for kin.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the five above */
#include <cmocka.h>

#include "monitor/core/internal.h"

static struct family family = {.volume_count = 1};
static struct member member = {.family = &family};
static u64 word[2];
static s64 admitted;

s64 guest_read(void *dst, u64 addr, size_t len)
{
	if (addr < KIN_BASE || addr - KIN_BASE > sizeof(word) - len)
		return -EFAULT;
	memcpy(dst, (char *)word + (addr - KIN_BASE), len);
	return 0;
}

s64 fd_examine(s64 fd, struct statx *stx)
{
	return statx((int)fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, stx) < 0 ? -errno : 0;
}

s64 handle_admit(struct member *m, s64 fd)
{
	return admitted = fd;
}

static int made(const char *name)
{
	return memfd_create(name, 0);
}

static bool same(s64 a, s64 b)
{
	struct stat st[2];

	return fstat((int)a, &st[0]) == 0 && fstat((int)b, &st[1]) == 0 &&
		   st[0].st_ino == st[1].st_ino;
}

static s64 kept(s64 fd, u64 word, u64 value, u64 access)
{
	struct hypercall_call c = {.arg = {(u64)fd, word, value, access}};

	return hyp_vol_keep(&member, &c);
}

static s64 taken(u64 word, u64 value, u64 access)
{
	struct hypercall_call c = {.arg = {word, value, access}};
	s64 fd = hyp_vol_take(&member, &c);

	assert_true(fd < 0 || fd == admitted);
	return fd;
}

/* What is kept can be taken as often as wanted, until its word says that nobody uses it. */
static void test_shelf(void **state)
{
	int both = made("both"), reads = made("reads"), dir = open("/", O_RDONLY);
	u64 at = KIN_BASE;

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, family.shelf_fds), 0);
	word[0] = 7;
	word[1] = 8;
	assert_int_equal(taken(at, 7, O_RDONLY), -ENOENT);
	assert_int_equal(kept(both, at, 7, O_RDWR) | kept(reads, at + 8, 8, O_RDONLY), 0);
	assert_int_equal(send(family.shelf_fds[0], "nothing", 7, 0), 7);
	assert_int_equal(kept(1, at, 7, O_RDWR), -EBADF);
	assert_int_equal(kept(dir, at, 7, O_RDONLY), -EBADF);
	assert_int_equal(kept(both, at + 4, 7, O_RDWR), -EINVAL);
	assert_int_equal(kept(both, (u64)&member, 7, O_RDWR), -EINVAL);
	assert_int_equal(kept(both, at, 7, 3), -EINVAL);
	for (int i = 0; i < 3; i++) {
		s64 fd = taken(at, 7, O_WRONLY), other = taken(at + 8, 8, O_RDONLY);
		assert_true(same(fd, both) && same(other, reads));
		close((int)fd);
		close((int)other);
	}
	assert_int_equal(taken(at + 8, 8, O_RDWR), -ENOENT);
	assert_int_equal(taken(at, 8, O_RDONLY), -ENOENT);
	word[0] = 0;
	assert_int_equal(taken(at, 7, O_RDONLY), -ENOENT);
	word[0] = 7;
	assert_int_equal(taken(at, 7, O_RDONLY), -ENOENT);
	assert_true(taken(at + 8, 8, O_RDONLY) > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_shelf)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
