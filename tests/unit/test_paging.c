/* SPDX-License-Identifier: ISC */
/*
 * kernel/arch/x86_64/paging_kvm.c and frames_kvm.c against a model: random maps, protections and
 * unmaps over ranges of private memory and of kin, each page compared after each step; what is
 * mapped afresh was given back to the host before; slots before entries; tables and frames given
 * back; and the same with allocations that fail, where pages may be missing but never be more than
 * was asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/arch/x86_64/arch_internal.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/x86_64/frames_kvm.h"

#define HEAP_PAGES 512
#define AREA_PAGES 2048u
#define LOW_AREA 0x10000000ul
#define KIN_AREA 0x123450000000ul /* pages of kin */
#define HIGH_AREA 0x7f1234400000ul
#define AREAS 3
#define STEPS 3000

u64 boot_tables[9][512] __attribute__((aligned(4096)));

static struct {
	u8 used[HEAP_PAGES];
	u32 in_use, fail_every, calls;
	u32 flushes, populates, unmaps;
	u8 slots[(KIN_PHYSICAL + KIN_SIZE) / SLOT_CHUNK];
	u8 written[(FRAMES_END - FRAMES_BASE) / PAGE_SIZE]; /* since it was given back */
} env;

struct page {
	u64 pa;
	int prot; /* -1: not mapped */
};
static struct page model[AREAS][AREA_PAGES];
static const u64 area_base[AREAS] = {LOW_AREA, KIN_AREA, HIGH_AREA};

void *kpages_alloc(size_t n)
{
	if (n > 1)
		return calloc(n, PAGE_SIZE); /* a larger table of frames */
	if (env.fail_every && ++env.calls % env.fail_every == 0)
		return NULL;
	for (u32 i = 0; i < HEAP_PAGES; i++) {
		if (!env.used[i]) {
			env.used[i] = 1;
			env.in_use++;
			return memset((char *)KERNEL_HEAP + i * PAGE_SIZE, 0, PAGE_SIZE);
		}
	}
	return NULL;
}

void kpages_free(void *p, size_t n)
{
	u64 i = ((u64)p - KERNEL_HEAP) / PAGE_SIZE;

	if (n > 1) {
		free(p);
		return;
	}
	assert_true(n == 1 && i < HEAP_PAGES && env.used[i]);
	env.used[i] = 0;
	env.in_use--;
}

void tlb_flush_kvm(void)
{
	env.flushes++;
}

s64 host_populate(u64 addr, u64 len)
{
	env.populates++;
	for (u64 c = addr / SLOT_CHUNK; c * SLOT_CHUNK < addr + len; c++)
		env.slots[c] = 1;
	return 0;
}

s64 host_unmap(u64 addr, u64 len)
{
	assert_true(addr >= FRAMES_BASE && len <= FRAMES_END - addr);
	memset(env.written + (addr - FRAMES_BASE) / PAGE_SIZE, 0, len / PAGE_SIZE);
	env.unmaps++;
	return 0;
}

s64 host_map_file(u64 addr, u64 len, int prot, int handle, u64 offset, int flags)
{
	return handle < 0 ? -EBADF : 0;
}

s64 host_discard(u64 addr, u64 len)
{
	return 0;
}

s64 host_resident(u64 addr, u64 len, u8 *pages)
{
	memset(pages, 1, len / PAGE_SIZE);
	return 0;
}

s64 host_advise(u64 addr, u64 len, int advice)
{
	return 0;
}

/* The processor's walk: true and the page's address and bits, or false. */
static bool walk(u64 va, u64 *pa, u64 *bits)
{
	u64 *table = boot_tables[0];

	for (int shift = 39;; shift -= 9) {
		u64 entry = table[va >> shift & 511];

		if (!(entry & 1))
			return false;
		if (shift == 12 || entry & 0x80) {
			u64 mask = (1ull << shift) - 1;

			*pa = (entry & 0x000ffffffffff000ull & ~mask) | (va & mask);
			*bits = entry;
			return true;
		}
		table = (u64 *)(entry & 0x000ffffffffff000ull);
	}
}

static void check_page(u32 area, u32 i, bool may_be_missing)
{
	const struct page *m = &model[area][i];
	u64 pa, bits;

	if (!walk(area_base[area] + i * PAGE_SIZE, &pa, &bits)) {
		assert_true(may_be_missing || m->prot <= 0);
		return;
	}
	assert_true(m->prot > 0);
	assert_int_equal(pa, area == 1 ? m->pa - KIN_BASE + KIN_PHYSICAL
								   : frame_address(area_base[area] + i * PAGE_SIZE));
	assert_int_equal(!!(bits & 2), !!(m->prot & PROT_WRITE));
	assert_int_equal(!(bits >> 63), !!(m->prot & PROT_EXEC));
	assert_true(bits & 4);
	assert_true(env.slots[pa / SLOT_CHUNK]);
}

/* What is mapped privately was zero before, and nobody else's; the application writes to it. */
static void fill(u32 area, u32 first, u32 n)
{
	for (u32 i = first; i < first + n; i++) {
		u64 pa = frame_address(area_base[area] + i * PAGE_SIZE);
		u8 *written = &env.written[(pa - FRAMES_BASE) / PAGE_SIZE];

		assert_true(pa >= FRAMES_BASE && pa < FRAMES_END);
		if (model[area][i].prot < 0)
			assert_int_equal(*written, 0);
		*written = 1;
	}
}

static void check_all(bool may_be_missing)
{
	for (u32 area = 0; area < AREAS; area++)
		for (u32 i = 0; i < AREA_PAGES; i++)
			check_page(area, i, may_be_missing);
}

static void model_set(u32 area, u32 first, u32 n, u64 pa, int prot)
{
	for (u32 i = first; i < first + n; i++)
		model[area][i] = (struct page){.pa = pa + (i - first) * PAGE_SIZE, .prot = prot};
}

static int setup(void **state)
{
	static bool mapped;
	const struct paging_ops *p = &paging_kvm_ops;

	if (!mapped && mmap((void *)KERNEL_BASE, KERNEL_END - KERNEL_BASE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) !=
			       (void *)KERNEL_BASE)
		return -1;
	mapped = true;
	env.fail_every = 0;
	paging_kvm_init();
	for (u32 area = 0; area < AREAS; area++) {
		p->unmap(area_base[area], AREA_PAGES * PAGE_SIZE, area == 1);
		model_set(area, 0, AREA_PAGES, 0, -1);
	}
	p->settle();
	tlb_flush_pending();
#define NOTE(start, end)                                                                           \
	for (u64 c = (start) / SLOT_CHUNK; c < (end) / SLOT_CHUNK; c++)                                \
		env.slots[c] = 1;
	SLOTS_AT_BOOT(NOTE)
	return 0;
}

/* Sizes and places that make whole and partial 2 MiB entries about equally likely. */
static void random_range(u32 *first, u32 *n)
{
	u32 unit = rand() % 2 ? 512 : 1 + (u32)rand() % 64;

	*first = (u32)rand() % (AREA_PAGES / unit) * unit;
	*n = unit * (1 + (u32)rand() % 3);
	if (*n > AREA_PAGES - *first)
		*n = AREA_PAGES - *first;
}

static void random_step(void)
{
	const struct paging_ops *p = &paging_kvm_ops;
	static const int prots[] = {0, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC,
				    PROT_READ | PROT_WRITE | PROT_EXEC};
	int prot = prots[rand() % 5];
	u32 area = (u32)rand() % AREAS, first, n;
	u64 va, len, pa;
	int err;

	random_range(&first, &n);
	va = area_base[area] + first * PAGE_SIZE;
	len = n * PAGE_SIZE;
	switch (rand() % 3) {
	case 0:
		pa = area != 1 ? 0 : KIN_BASE + (u64)(rand() % 64) * (rand() % 2 ? HUGE_SIZE : PAGE_SIZE);
		err = area != 1 ? p->map_private(va, len, prot, true) : p->map_kin(va, len, pa, prot);
		if (err == 0) {
			if (area != 1)
				fill(area, first, n);
			model_set(area, first, n, pa, prot);
			break;
		}
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(p->unmap(va, len, area == 1), 0);
		model_set(area, first, n, 0, -1);
		break;
	case 1:
		assert_int_equal(p->protect(va, len, prot), 0);
		for (u32 i = first; i < first + n; i++)
			if (model[area][i].prot >= 0)
				model[area][i].prot = prot;
		break;
	case 2:
		assert_int_equal(p->unmap(va, len, area == 1), 0);
		model_set(area, first, n, 0, -1);
	}
	if (rand() % 2)
		p->settle();
}

static void test_random(void **state)
{
	srand(1);
	for (int i = 0; i < STEPS; i++) {
		random_step();
		check_all(false);
		if (i % 7 == 0)
			tlb_flush_pending();
	}
}

static void test_failing_allocations(void **state)
{
	srand(2);
	for (int i = 0; i < STEPS; i++) {
		env.fail_every = 2 + i % 5;
		random_step();
		check_all(true);
		tlb_flush_pending();
	}
}

static void test_tables_are_given_back(void **state)
{
	const struct paging_ops *p = &paging_kvm_ops;
	u32 before = env.in_use;

	for (int i = 0; i < 50; i++) {
		assert_int_equal(p->map_private(LOW_AREA, 5 * PAGE_SIZE, PROT_READ, true), 0);
		assert_int_equal(p->map_kin(KIN_AREA, 5 * PAGE_SIZE, KIN_BASE, PROT_READ), 0);
		assert_int_equal(p->unmap(LOW_AREA, 5 * PAGE_SIZE, false), 0);
		assert_int_equal(p->unmap(KIN_AREA, 5 * PAGE_SIZE, true), 0);
		tlb_flush_pending();
	}
	assert_int_equal(env.in_use, before);
}

/* More granules than the first table has room for, frames until there are none; and back. */
static void test_many_frames(void **state)
{
	const u64 n = 3000, step = 5 * HUGE_SIZE;
	static u8 seen[(FRAMES_END - FRAMES_BASE) / HUGE_SIZE];

	for (u64 i = 0; i < n; i++) {
		assert_int_equal(frames_bind(HIGH_AREA + i * step, PAGE_SIZE), 1);
		assert_int_equal(frames_bind(HIGH_AREA + i * step, HUGE_SIZE), 0);
	}
	for (u64 i = 0; i < n; i++) {
		u64 pa = frame_address(HIGH_AREA + i * step + 5 * PAGE_SIZE);

		assert_int_equal(pa % HUGE_SIZE, 5 * PAGE_SIZE);
		assert_int_equal(seen[(pa - FRAMES_BASE) / HUGE_SIZE]++, 0);
		assert_int_equal(frame_address(HIGH_AREA + i * step + HUGE_SIZE), 0);
	}
	for (u64 i = 0; i < n; i += 2)
		assert_true(frame_release(HIGH_AREA + i * step, false, true));
	for (u64 i = 0; i < n; i++)
		assert_int_equal(!frame_address(HIGH_AREA + i * step), i % 2 == 0);
	assert_int_equal(frames_bind(HIGH_AREA, FRAMES_END), -ENOMEM);
	for (u64 i = 0; i < FRAMES_END / HUGE_SIZE + n * 5; i++)
		frame_release(HIGH_AREA + i * HUGE_SIZE, true, i % 3 == 0);
	paging_kvm_ops.settle();
	assert_int_equal(frames_bind(HIGH_AREA, 64 * HUGE_SIZE), 64);
	assert_int_equal(frame_address(HIGH_AREA + 63 * HUGE_SIZE) - frame_address(HIGH_AREA),
		63 * HUGE_SIZE);
	for (u64 i = 0; i < 64; i++)
		frame_release(HIGH_AREA + i * HUGE_SIZE, true, true);
}

/* Neighbours behind neighbours, so that the monitor is called once. */
static void test_runs(void **state)
{
	u64 host;

	assert_int_equal(paging_kvm_ops.map_private(HIGH_AREA + 4 * HUGE_SIZE, HUGE_SIZE, PROT_READ,
		true), 0);
	assert_int_equal(paging_kvm_ops.map_private(HIGH_AREA + 2 * HUGE_SIZE, 2 * HUGE_SIZE, PROT_READ,
		true), 0);
	assert_int_equal(paging_kvm_ops.host_span(HIGH_AREA + 2 * HUGE_SIZE + 7, 3 * HUGE_SIZE - 7,
		&host), 3 * HUGE_SIZE - 7);
	assert_int_equal(host, frame_address(HIGH_AREA + 2 * HUGE_SIZE) + 7);
	assert_int_equal(paging_kvm_ops.host_span(HIGH_AREA, PAGE_SIZE, &host), 0);
	u32 unmaps = env.unmaps;
	paging_kvm_ops.unmap(HIGH_AREA + 2 * HUGE_SIZE, 3 * HUGE_SIZE, false);
	paging_kvm_ops.settle();
	assert_int_equal(env.unmaps, unmaps + 1);
}

/* A change of a present entry asks for exit work, which flushes; new entries need no flush. */
static void test_flush(void **state)
{
	const struct paging_ops *p = &paging_kvm_ops;
	u32 flushes = env.flushes;

	PERCPU->irq_pending = 0;
	assert_int_equal(p->map_private(LOW_AREA, PAGE_SIZE, PROT_READ | PROT_WRITE, true), 0);
	assert_int_equal(PERCPU->irq_pending, 0);
	assert_int_equal(p->protect(LOW_AREA, PAGE_SIZE, PROT_READ), 0);
	assert_int_equal(PERCPU->irq_pending, 1);
	assert_int_equal(env.flushes, flushes);
	tlb_flush_pending();
	assert_int_equal(env.flushes, flushes + 1);
	tlb_flush_pending();
	assert_int_equal(env.flushes, flushes + 1);
}

static void test_kin_chunk(void **state)
{
	u64 addr = KIN_BASE + (40ull << 30), pa, bits;
	u32 calls = env.populates;

	assert_false(walk(addr, &pa, &bits));
	assert_int_equal(paging_kvm_ops.kin_populate(addr + 12345 * PAGE_SIZE, PAGE_SIZE), 0);
	assert_true(walk(addr + 12345 * PAGE_SIZE, &pa, &bits));
	assert_int_equal(pa, addr - KIN_BASE + KIN_PHYSICAL + 12345 * PAGE_SIZE);
	assert_true(bits >> 63 && bits & 2);
	assert_int_equal(paging_kvm_ops.kin_populate(addr + 12345 * PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(env.populates, calls + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_random, setup),
		cmocka_unit_test_setup(test_failing_allocations, setup),
		cmocka_unit_test_setup(test_tables_are_given_back, setup),
		cmocka_unit_test_setup(test_flush, setup),
		cmocka_unit_test_setup(test_kin_chunk, setup),
		cmocka_unit_test_setup(test_many_frames, setup),
		cmocka_unit_test_setup(test_runs, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
