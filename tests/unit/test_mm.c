/* SPDX-License-Identifier: ISC */
/*
 * Address spaces against a plain model: an array of pages. Random sequences of mmap, munmap,
 * mprotect, mremap and madvise on both backends' page handling; after each, VMAs, access rights and
 * contents must agree with the model. Then single facts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "mm_env.h"

#include "kernel/fd/file.h"
#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define AREA 96 /* pages that random operations aim at */

struct model_page {
	bool mapped, shared;
	u32 prot;
	u64 value;
};
static struct model_page model[WORLD_PAGES];
static u64 random_state;

static u64 rnd(u64 n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (random_state >> 33) % n;
}

static u64 page_addr(u64 i)
{
	return WORLD + i * PAGE_SIZE;
}

static void model_check(struct mm *mm, u64 n)
{
	for (u64 i = 0; i < n; i++) {
		struct model_page *m = &model[i];
		struct vma *v = mm_find(mm, page_addr(i));
		u64 value = 0;
		int sig;

		assert_int_equal(v != NULL, m->mapped);
		sig = env_read(mm, page_addr(i), &value);
		assert_int_equal(sig, m->mapped && m->prot ? 0 : SIGSEGV);
		if (v)
			assert_int_equal(v->prot, m->prot);
		if (!sig)
			assert_int_equal(value, m->value);
	}
}

/*
 * VMAs are in order, disjoint, merged where they can be; what is present belongs to one; the sums
 * are right.
 */
static void tree_check(struct mm *mm)
{
	struct vma *v, *prev = NULL;
	u64 pages = 0, count = 0, s, e;

	for (v = vma_first(mm, 0); v; prev = v, v = vma_next(v)) {
		assert_true(v->start < v->end && (!prev || prev->end <= v->start));
		if (prev && prev->end == v->start && !prev->file && !v->file && !prev->object && !v->object)
			assert_true(prev->prot != v->prot || prev->flags != v->flags);
		pages += (v->end - v->start) / PAGE_SIZE;
		count++;
	}
	assert_int_equal(pages, mm->total_pages);
	assert_int_equal(count, mm->vma_count);
	for (u64 at = 0; ranges_next(&mm->present, at, ~0ull, &s, &e); at = e) {
		u64 gs, ge;

		for (u64 p = s; p < e; p += PAGE_SIZE)
			assert_non_null(mm_find(mm, p));
		assert_false(ranges_next(&mm->stale, s, e, &gs, &ge));
	}
}

static void op_map(struct mm *mm, u64 first, u64 n)
{
	u32 prot = (u32)rnd(4); /* none, r, w, rw */
	bool shared = rnd(4) == 0;
	s64 ret = mm_map(mm, page_addr(first), n * PAGE_SIZE, prot,
		(shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);

	assert_int_equal(ret, page_addr(first));
	for (u64 i = first; i < first + n; i++)
		model[i] = (struct model_page){true, shared, prot, 0};
}

static void op_unmap(struct mm *mm, u64 first, u64 n)
{
	assert_int_equal(mm_unmap(mm, page_addr(first), n * PAGE_SIZE), 0);
	memset(&model[first], 0, n * sizeof(model[0]));
}

static void op_protect(struct mm *mm, u64 first, u64 n)
{
	u32 prot = (u32)rnd(4);
	s64 want = 0;
	u64 i;

	for (i = first; i < first + n && model[i].mapped; i++)
		model[i].prot = prot;
	if (i < first + n)
		want = -ENOMEM;
	assert_int_equal(mm_protect(mm, page_addr(first), n * PAGE_SIZE, prot), want);
}

static void op_write(struct mm *mm, u64 first, u64 n)
{
	for (u64 i = first; i < first + n; i++) {
		u64 value = rnd(1u << 30);
		int sig = env_write(mm, page_addr(i), value);

		assert_int_equal(sig, model[i].mapped && model[i].prot & PROT_WRITE ? 0 : SIGSEGV);
		if (!sig)
			model[i].value = value;
	}
}

static void op_dontneed(struct mm *mm, u64 first, u64 n)
{
	s64 want = 0;

	for (u64 i = first; i < first + n; i++) {
		if (!model[i].mapped)
			want = -ENOMEM;
		else if (!model[i].shared)
			model[i].value = 0;
	}
	assert_int_equal(sys_madvise(page_addr(first), n * PAGE_SIZE, MADV_DONTNEED), want);
}

/* Moves one page's worth of a mapping to a fixed place, maybe longer. */
static void op_remap(struct mm *mm, u64 from, u64 to)
{
	struct model_page page = model[from];
	s64 want = (s64)page_addr(to);

	if (from == to)
		want = -EINVAL;
	else if (!page.mapped)
		want = -EFAULT;
	assert_int_equal(sys_mremap(page_addr(from), PAGE_SIZE, PAGE_SIZE,
		MREMAP_MAYMOVE | MREMAP_FIXED,
		page_addr(to)), !page.mapped ? -EFAULT : want);
	if (want == (s64)page_addr(to)) {
		memset(&model[from], 0, sizeof(page));
		model[to] = page;
	}
}

static void random_run(u32 backend, u64 seed, int steps)
{
	struct mm *mm = env_start(backend);

	random_state = seed;
	memset(model, 0, sizeof(model));
	for (int step = 0; step < steps; step++) {
		u64 first = rnd(AREA), n = 1 + rnd(12);

		switch (rnd(8)) {
		case 0: case 1: op_map(mm, first, n); break;
		case 2: op_unmap(mm, first, n); break;
		case 3: op_protect(mm, first, n); break;
		case 4: case 5: op_write(mm, first, n); break;
		case 6: op_dontneed(mm, first, n); break;
		default: op_remap(mm, first, rnd(AREA)); break;
		}
		if (step % 16 == 0)
			model_check(mm, AREA + 16);
		tree_check(mm);
	}
	model_check(mm, AREA + 16);
	mm_reset(mm);
	assert_null(vma_first(mm, 0));
	assert_int_equal(env_objects(), 0);
	assert_int_equal(env_records(current->proc->kp), 0);
	assert_int_equal(mm->present.bytes + mm->stale.bytes, 0);
}

static void test_random_kvm(void **state)
{
	for (u64 seed = 1; seed <= 12; seed++)
		random_run(BACKEND_KVM, seed, 3000);
}

static void test_random_process(void **state)
{
	for (u64 seed = 101; seed <= 106; seed++)
		random_run(BACKEND_PROCESS, seed, 3000);
}

static void test_map_errors(void **state)
{
	struct mm *mm = env_start(BACKEND_KVM);
	struct file *ro = env_file(8 * PAGE_SIZE, O_RDONLY, true), *wo = env_file(PAGE_SIZE, O_WRONLY,
		false);

	assert_int_equal(mm_map(mm, 0, 0, RW, ANON, NULL, 0), -EINVAL);
	assert_int_equal(mm_map(mm, 0, PAGE_SIZE, RW, MAP_ANONYMOUS, NULL, 0), -EINVAL);
	assert_int_equal(mm_map(mm, 0, PAGE_SIZE, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, NULL, 0),
		-EINVAL);
	assert_int_equal(mm_map(mm, 0, ~0ull, RW, ANON, NULL, 0), -ENOMEM);
	assert_int_equal(mm_map(mm, 0, 1ull << 47, RW, ANON, NULL, 0), -ENOMEM);
	assert_int_equal(mm_map(mm, WORLD + 1, PAGE_SIZE, RW, ANON | MAP_FIXED, NULL, 0), -EINVAL);
	assert_int_equal(mm_map(mm, KERNEL_BASE, PAGE_SIZE, RW, ANON | MAP_FIXED, NULL, 0), -ENOMEM);
	assert_int_equal(mm_map(mm, KERNEL_BASE - PAGE_SIZE, 2 * PAGE_SIZE, RW, ANON | MAP_FIXED, NULL,
		0), -ENOMEM);
	assert_int_equal(mm_map(mm, HIDDEN_END - PAGE_SIZE, 2 * PAGE_SIZE, RW, ANON | MAP_FIXED, NULL,
		0), -ENOMEM);
	assert_int_equal(mm_map(mm, KIN_BASE, PAGE_SIZE, RW, ANON | MAP_FIXED_NOREPLACE, NULL, 0),
		-EEXIST);
	assert_int_equal(mm_map(mm, 1ull << 37, 3ull << 45, 0, ANON | MAP_FIXED, NULL, 0), 1ull << 37);
	assert_int_equal(mm_protect(mm, KIN_END - PAGE_SIZE, PAGE_SIZE, RW), -ENOMEM);
	assert_int_equal(mm_protect(mm, HIDDEN_START, PAGE_SIZE, PROT_READ), -ENOMEM);
	assert_int_equal(mm_unmap(mm, 1ull << 37, 3ull << 45), 0);
	assert_int_equal(mm_map(mm, 0, PAGE_SIZE, RW, ANON | MAP_FIXED, NULL, 0), -EPERM);
	assert_int_equal(mm_map(mm, WORLD, PAGE_SIZE, RW, ANON | MAP_FIXED_NOREPLACE, NULL, 0), WORLD);
	assert_int_equal(mm_map(mm, WORLD, PAGE_SIZE, RW, ANON | MAP_FIXED_NOREPLACE, NULL, 0),
		-EEXIST);
	assert_int_equal(mm_map(mm, 0, PAGE_SIZE, RW, MAP_SHARED, ro, 0), -EACCES);
	assert_int_equal(mm_map(mm, 0, PAGE_SIZE, PROT_READ, MAP_PRIVATE, wo, 0), -EACCES);
	assert_int_equal(mm_map(mm, 0, PAGE_SIZE, PROT_READ, MAP_PRIVATE, ro, -PAGE_SIZE), -EOVERFLOW);
	assert_int_equal(mm_map(mm, WORLD, PAGE_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, ro, 0), WORLD);
	assert_int_equal(mm_protect(mm, WORLD, PAGE_SIZE, RW), -EACCES);
	assert_int_equal(mm_unmap(mm, WORLD + 1, PAGE_SIZE), -EINVAL);
	assert_int_equal(mm_unmap(mm, WORLD, 0), -EINVAL);
	assert_int_equal(mm_unmap(mm, WORLD, PAGE_SIZE), 0);
	assert_int_equal(env_file_refs(ro), 1);
	ref_put(OWN_OBJECT, (struct kin_object **)&ro->priv[1]);
}

static void test_placement(void **state)
{
	struct mm *mm = env_start(BACKEND_KVM);
	u64 a = (u64)mm_map(mm, 0, 3 * PAGE_SIZE, RW, ANON, NULL, 0);
	u64 b = (u64)mm_map(mm, 0, PAGE_SIZE, PROT_READ, ANON, NULL, 0), hint = WORLD + 100 * PAGE_SIZE;

	assert_int_equal(a, WORLD_END - 3 * PAGE_SIZE);
	assert_int_equal(b, a - PAGE_SIZE);
	assert_int_equal(mm_map(mm, hint + 5, PAGE_SIZE, RW, ANON, NULL, 0), hint + PAGE_SIZE);
	assert_int_equal(mm_map(mm, a, PAGE_SIZE, RW, ANON, NULL, 0), b - PAGE_SIZE);
	assert_int_equal(mm_unmap(mm, a, PAGE_SIZE), 0);
	assert_int_equal(mm_map(mm, 0, PAGE_SIZE, PROT_EXEC, ANON, NULL, 0), a);
	/* Nothing but the kernel's window is left between: a large mapping goes below it. */
	mm->mmap_top = KERNEL_END + PAGE_SIZE;
	assert_int_equal(vma_gap(mm, 2 * PAGE_SIZE, PAGE_SIZE, PRIVATE_BASE, mm->mmap_top),
		KERNEL_BASE - 2 * PAGE_SIZE);
	assert_int_equal(vma_gap(mm, PAGE_SIZE, PAGE_SIZE, PRIVATE_BASE, mm->mmap_top), KERNEL_END);
	assert_int_equal(vma_gap(mm, PAGE_SIZE, PAGE_SIZE, PRIVATE_BASE, HIDDEN_END),
		HIDDEN_START - PAGE_SIZE);
	assert_int_equal(vma_gap(mm, PAGE_SIZE, PAGE_SIZE, PRIVATE_BASE, HIDDEN_END + PAGE_SIZE),
		HIDDEN_END);
	assert_int_equal(vma_gap(mm, HIDDEN_START - KERNEL_END, PAGE_SIZE, PRIVATE_BASE, KIN_END),
		KIN_BASE - (HIDDEN_START - KERNEL_END));
	assert_int_equal(vma_gap(mm, KIN_BASE, PAGE_SIZE, PRIVATE_BASE, KIN_END + PAGE_SIZE), 0);
	assert_int_equal(range_above(HIDDEN_START - PAGE_SIZE, 2 * PAGE_SIZE, HUGE_SIZE), HIDDEN_END);
	assert_int_equal(range_below(HIDDEN_END + PAGE_SIZE, 2 * PAGE_SIZE), HIDDEN_START);
	assert_int_equal(range_below(HIDDEN_START, PAGE_SIZE), HIDDEN_START);
}

static void test_files(void **state)
{
	struct mm *mm = env_start(BACKEND_KVM);
	struct file *f = env_file(5 * PAGE_SIZE - 7, O_RDONLY, false);
	u64 a = (u64)mm_map(mm, 0, 8 * PAGE_SIZE, RW, MAP_PRIVATE, f, PAGE_SIZE), value;

	for (u64 i = 0; i < 8; i++) {
		assert_int_equal(env_read(mm, a + i * PAGE_SIZE, &value), i < 4 ? 0 : SIGBUS);
		if (i < 4)
			assert_int_equal(value, env_file_word(f, i + 1));
	}
	assert_int_equal(env_write(mm, a, 99), 0);
	assert_int_equal(mm_accessible(mm, a + 100, 100 * PAGE_SIZE, true), 4 * PAGE_SIZE - 100);
	assert_int_equal(sys_madvise(a, PAGE_SIZE, MADV_DONTNEED), 0);
	assert_int_equal(env_read(mm, a, &value), 0);
	assert_int_equal(value, env_file_word(f, 1));
	/* A hole in the middle: offsets go on. */
	assert_int_equal(mm_unmap(mm, a + PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(mm_find(mm, a + 2 * PAGE_SIZE)->offset, 3 * PAGE_SIZE);
	assert_int_equal(env_file_refs(f), 2);
	mm_reset(mm);
	assert_int_equal(env_file_refs(f), 1);
}

static void test_shared_fork(void **state)
{
	struct mm *mm = env_start(BACKEND_KVM);
	struct kin_proc child = {0};
	struct file *f = env_file(4 * PAGE_SIZE, O_RDWR, true);
	u64 a = (u64)mm_map(mm, 0, 4 * PAGE_SIZE, RW, MAP_SHARED, f, 0), host, value;
	u64 b = (u64)mm_map(mm, 0, 4 * PAGE_SIZE, RW, MAP_SHARED | MAP_ANONYMOUS, NULL, 0);

	assert_int_equal(env_read(mm, a + PAGE_SIZE, &value), 0);
	assert_int_equal(value, env_file_word(f, 1));
	assert_int_equal(mm_host_span(mm, b + 8, 100, true, &host), 100);
	assert_int_not_equal(host, b + 8);
	assert_int_equal(mm_shared_key(mm, b + 8), host);
	assert_int_equal(mm_shared_key(mm, WORLD), 0);
	assert_int_equal(env_records(current->proc->kp), 3); /* file, its object, anonymous object */
	assert_int_equal(mm_fork_prepare(mm, &child), 0);
	assert_int_equal(env_records(&child), 3);
	assert_int_equal(env_file_refs(f), 3);
	mm_release(mm);
	assert_int_equal(env_objects(), 2);
	mappings_bury(&child);
	assert_int_equal(env_objects(), 1); /* the file's own */
	assert_int_equal(env_file_refs(f), 1);
	ref_put(OWN_OBJECT, (struct kin_object **)&f->priv[1]);
}

/* Every allocation fails once: errors are reported and nothing is left behind. */
static void test_failures(void **state)
{
	for (int n = 1; n < 12; n++) {
		struct mm *mm = env_start(BACKEND_KVM);
		struct file *f = env_file(4 * PAGE_SIZE, O_RDWR, false);

		env_fail_after = n;
		mm_map(mm, 0, 4 * PAGE_SIZE, RW, MAP_SHARED | MAP_ANONYMOUS, NULL, 0);
		mm_map(mm, 0, 4 * PAGE_SIZE, RW, MAP_PRIVATE, f, 0);
		mm_map(mm, WORLD, 64 * PAGE_SIZE, RW, ANON | MAP_FIXED, NULL, 0);
		sys_mremap(WORLD, 64 * PAGE_SIZE, 128 * PAGE_SIZE, MREMAP_MAYMOVE, 0);
		env_fail_after = -1;
		tree_check(mm);
		mm_reset(mm);
		assert_int_equal(env_objects(), 0);
		assert_int_equal(env_file_refs(f), 1);
		assert_int_equal(env_records(current->proc->kp), 0);
	}
}

static void test_brk_stack(void **state)
{
	struct mm *mm = env_start(BACKEND_KVM);
	struct vma stack = {.start = WORLD + 1000 * PAGE_SIZE, .end = WORLD + 1010 * PAGE_SIZE, .prot =
		RW,
		.flags = VMA_STACK | VMA_GROWSDOWN};
	u64 value;

	mm->brk_start = mm->brk_end = WORLD + 16;
	assert_int_equal(sys_brk(0), WORLD + 16);
	assert_int_equal(sys_brk(WORLD + 3 * PAGE_SIZE + 1), WORLD + 3 * PAGE_SIZE + 1);
	assert_int_equal(env_write(mm, WORLD + 3 * PAGE_SIZE, 7), 0);
	assert_int_equal(sys_brk(WORLD + PAGE_SIZE), WORLD + PAGE_SIZE);
	assert_int_equal(env_read(mm, WORLD + PAGE_SIZE, &value), SIGSEGV);
	assert_int_equal(sys_brk(WORLD + 4 * PAGE_SIZE), WORLD + 4 * PAGE_SIZE);
	assert_int_equal(env_read(mm, WORLD + 3 * PAGE_SIZE, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(sys_brk(KIN_BASE + 1), WORLD + 4 * PAGE_SIZE);

	assert_int_equal(mm_place(mm, &stack, true), stack.start);
	current->proc->kp->inherited.rlimit_cur[3] = 200 * PAGE_SIZE; /* RLIMIT_STACK */
	assert_int_equal(env_write(mm, stack.start - PAGE_SIZE, 1), 0);
	assert_int_equal(env_write(mm, stack.end - 200 * PAGE_SIZE, 1), 0);
	assert_int_equal(env_write(mm, stack.end - 201 * PAGE_SIZE, 1), SIGSEGV);
	tree_check(mm);
	mm_reset(mm);
}

static void test_remap_grow(void **state)
{
	struct mm *mm = env_start(BACKEND_KVM);
	u64 a = (u64)mm_map(mm, 0, 8 * PAGE_SIZE, RW, ANON, NULL, 0), value, b;

	for (u64 i = 0; i < 8; i++)
		assert_int_equal(env_write(mm, a + i * PAGE_SIZE, i + 1), 0);
	b = (u64)sys_mremap(a, 8 * PAGE_SIZE, 32 * PAGE_SIZE, MREMAP_MAYMOVE, 0);
	assert_true(b != a && b % PAGE_SIZE == 0);
	for (u64 i = 0; i < 32; i++) {
		assert_int_equal(env_read(mm, b + i * PAGE_SIZE, &value), 0);
		assert_int_equal(value, i < 8 ? i + 1 : 0);
	}
	assert_int_equal(env_read(mm, a, &value), SIGSEGV);
	assert_int_equal(sys_mremap(b, 32 * PAGE_SIZE, 4 * PAGE_SIZE, 0, 0), b);
	assert_int_equal(sys_mremap(b, 4 * PAGE_SIZE, 6 * PAGE_SIZE, 0, 0), b);
	assert_int_equal(env_read(mm, b + 4 * PAGE_SIZE, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(sys_mremap(b, 0, PAGE_SIZE, MREMAP_MAYMOVE, 0), -EINVAL);
	assert_int_equal(sys_mremap(b, 100 * PAGE_SIZE, 200 * PAGE_SIZE, MREMAP_MAYMOVE, 0), -EFAULT);
	assert_int_equal(sys_mremap(b, PAGE_SIZE, 0, MREMAP_MAYMOVE, 0), -EINVAL);
	assert_int_equal(sys_mremap(b, PAGE_SIZE, PAGE_SIZE, MREMAP_FIXED, 0), -EINVAL);
	mm_reset(mm);
}

/* mmap and munmap in a loop, each page written: no unmap call per round on kvm, and always zero. */
static void test_stale(void **state)
{
	struct mm *mm = env_start(BACKEND_KVM);
	u64 value, before = env_calls_unmap;

	for (int i = 0; i < 1000; i++) {
		u64 a = (u64)mm_map(mm, 0, 4 * PAGE_SIZE, RW, ANON, NULL, 0);

		assert_int_equal(env_read(mm, a + PAGE_SIZE, &value), 0);
		assert_int_equal(value, 0);
		assert_int_equal(env_write(mm, a + PAGE_SIZE, 1 + (u64)i), 0);
		assert_int_equal(mm_unmap(mm, a, 4 * PAGE_SIZE), 0);
	}
	assert_true(env_calls_unmap - before < 10);
}

static void test_maps_text(void **state)
{
	struct mm *mm = env_start(BACKEND_KVM);
	char whole[512] = "", part[512] = "";
	s64 n, got = 0, step;

	mm_map(mm, WORLD, PAGE_SIZE, RW, ANON | MAP_FIXED, NULL, 0);
	mm_map(mm, WORLD + PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_EXEC, ANON | MAP_FIXED, NULL, 0);
	n = mm_print_maps(mm, whole, sizeof(whole), 0, MM_LINES);
	whole[n] = '\0';
	assert_string_equal(whole, "10000000-10001000 rw-p 00000000 00:00 0 \n"
		"10001000-10002000 r-xp 00000000 00:00 0 \n");
	while ((step = mm_print_maps(mm, part + got, 7, (u64)got, MM_LINES)))
		got += step;
	assert_int_equal(got, n);
	assert_memory_equal(whole, part, (size_t)n);
	mm_reset(mm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_kvm),  cmocka_unit_test(test_random_process),
		cmocka_unit_test(test_map_errors),  cmocka_unit_test(test_placement),
		cmocka_unit_test(test_files),       cmocka_unit_test(test_shared_fork),
		cmocka_unit_test(test_failures),    cmocka_unit_test(test_brk_stack),
		cmocka_unit_test(test_remap_grow),  cmocka_unit_test(test_stale),
		cmocka_unit_test(test_maps_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
