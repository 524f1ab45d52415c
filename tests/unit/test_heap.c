/* SPDX-License-Identifier: ISC */
/*
 * The kernel's heap at its real address: zeroed, disjoint, aligned, given back, and in order when
 * it is full.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "mm_env.h"

#define BLOCKS 400
#define ALL_PAGES ((KERNEL_HEAP_END - KERNEL_HEAP) / PAGE_SIZE)

static u64 seed = 7;

static u64 rnd(u64 n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 33) % n;
}

static void assert_bytes(const unsigned char *p, size_t n, unsigned char value)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(p[i], value);
}

/*
 * Blocks of random sizes are filled with their own number; a neighbour that writes over them would
 * be seen.
 */
static void test_random(void **state)
{
	static struct {
		unsigned char *p;
		size_t size;
	} blocks[BLOCKS];

	for (int round = 0; round < 40000; round++) {
		u64 i = rnd(BLOCKS);

		if (blocks[i].p) {
			assert_bytes(blocks[i].p, blocks[i].size, (unsigned char)i);
			kfree(blocks[i].p);
			blocks[i].p = NULL;
			continue;
		}
		blocks[i].size = rnd(8) ? 1 + rnd(600) : 1 + rnd(20000);
		blocks[i].p = kmalloc(blocks[i].size);
		assert_non_null(blocks[i].p);
		assert_int_equal((u64)blocks[i].p % 16, 0);
		assert_bytes(blocks[i].p, blocks[i].size, 0);
		memset(blocks[i].p, (int)i, blocks[i].size);
	}
	for (u64 i = 0; i < BLOCKS; i++)
		kfree(blocks[i].p);
}

static void test_alignment(void **state)
{
	for (size_t size = 64; size <= 512; size *= 2)
		for (int i = 0; i < 100; i++)
			assert_int_equal((u64)kmalloc(size) % 64, 0);
}

/* Everything can be had in one-page pieces, then nothing; given back, it is one run again. */
static void test_exhaustion(void **state)
{
	static char *pages[ALL_PAGES];
	char *run = kpages_alloc(ALL_PAGES / 2), *big;
	u64 n = 0;

	assert_non_null(run);
	memset(run, 0xff, PAGE_SIZE);
	while (n < ALL_PAGES && (pages[n] = kpages_alloc(1)))
		pages[n++][5] = 1;
	assert_null(kpages_alloc(1));
	assert_null(kmalloc(100000));
	kpages_free(run, ALL_PAGES / 2);
	assert_null(kpages_alloc(ALL_PAGES / 2 + 1));
	big = kpages_alloc(ALL_PAGES / 2);
	assert_ptr_equal(big, run);
	assert_bytes((unsigned char *)big, PAGE_SIZE, 0);
	kpages_free(big, ALL_PAGES / 2);
	while (n > 0)
		kpages_free(pages[--n], 1);
	assert_null(kpages_alloc(0));
	assert_null(kpages_alloc(ALL_PAGES + 1));
	assert_null(kmalloc(~0ul));
}

static int setup(void **state)
{
	env_start(BACKEND_KVM);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random), cmocka_unit_test(test_alignment),
			cmocka_unit_test(test_exhaustion),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
