/* SPDX-License-Identifier: ISC */
/*
 * The allocator of kin, its locks and objects: one member, several at once, and members that are
 * killed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kin_env.h"
#include "kernel/arch/arch.h"
#include "kernel/kin/own.h"
#include "kernel/kin/root.h"

#define SLOTS 400

static bool all_bytes(const unsigned char *p, unsigned char value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != value)
			return false;
	return true;
}

static void sizes_are_zeroed_and_distinct(void **state)
{
	static const size_t sizes[] = {1, 16, 17, 48, 100, 250, 512, 1000, 2000, 2001, 4096, 5000,
				       70000};
	unsigned char *p[ARRAY_SIZE(sizes)][20];
	u64 before = env_pages();

	for (u32 round = 0; round < 3; round++) {
		for (u32 s = 0; s < ARRAY_SIZE(sizes); s++)
			for (u32 i = 0; i < 20; i++) {
				p[s][i] = kin_alloc(sizes[s]);
				assert_non_null(p[s][i]);
				assert_int_equal((u64)p[s][i] % 16, 0);
				assert_true(all_bytes(p[s][i], 0, sizes[s]));
				memset(p[s][i], s * 20 + i, sizes[s]);
			}
		for (u32 s = 0; s < ARRAY_SIZE(sizes); s++)
			for (u32 i = 0; i < 20; i++) {
				assert_true(all_bytes(p[s][i], s * 20 + i, sizes[s]));
				kin_free(p[s][i]);
			}
	}
	/* One empty slab of each class may stay. */
	assert_in_range(env_pages(), before, before + SLAB_CLASSES);
}

static void cache_line_sizes_are_aligned(void **state)
{
	for (size_t size = 64; size <= 960; size += 64) {
		void *p = kin_alloc(size);

		if (size == 64 || size == 128 || size == 320 || size == 384 || size == 640)
			assert_int_equal((u64)p % 64, 0);
		kin_free(p);
	}
}

static void runs_are_contiguous_and_reused(void **state)
{
	u64 before = env_pages();
	char *a = kin_pages_alloc(16), *b = kin_pages_alloc(3), *c = kin_pages_alloc(16);

	assert_true(a && b && c);
	memset(a, 1, 16 * PAGE_SIZE);
	kin_pages_free(a, 16);
	void **at = kin_alloc(sizeof(*at));
	assert_true(own_page_at(a + 5 * PAGE_SIZE));
	own_give(at, a + 5 * PAGE_SIZE);
	assert_false(own_page_at(a + 5 * PAGE_SIZE));
	assert_true(all_bytes((unsigned char *)a + 5 * PAGE_SIZE, 0, PAGE_SIZE));
	char *d = kin_pages_alloc(16);
	assert_true(d + 16 * PAGE_SIZE <= a || d >= a + 16 * PAGE_SIZE);
	kin_pages_free(a + 5 * PAGE_SIZE, 1);
	char *e = kin_pages_alloc(16);
	assert_ptr_equal(e, a);
	assert_true(all_bytes((unsigned char *)e, 0, 16 * PAGE_SIZE));
	kin_pages_free(b, 3);
	kin_pages_free(c, 16);
	kin_pages_free(d, 16);
	kin_pages_free(e, 16);
	assert_int_equal(env_pages(), before);
}

static void free_memory_goes_back_in_batches(void **state)
{
	enum { N = 9000 };
	void **pages = calloc(N, sizeof(*pages));
	u32 discards = env_discards;

	for (u32 i = 0; i < N; i++) {
		pages[i] = kin_pages_alloc(1);
		memset(pages[i], 0x5a, PAGE_SIZE);
	}
	for (u32 i = 0; i < N; i++)
		kin_pages_free(pages[i], 1);
	assert_in_range(env_discards - discards, 1, 10);
	for (u32 i = 0; i < N; i++) {
		pages[i] = kin_pages_alloc(1);
		assert_true(all_bytes(pages[i], 0, PAGE_SIZE));
	}
	for (u32 i = 0; i < N; i++)
		kin_pages_free(pages[i], 1);
	free(pages);
}

/* Files and shared memory come to an end first, then everything, the last pages at the very end. */
static void applications_leave_room(void **state)
{
	u64 used = ROOT->pages_used, total = KIN_PAGES - ROOT->first_page;
	void *p;

	ROOT->pages_used = total - 8192;
	assert_null(kin_pages_alloc_data(1));
	assert_null(kin_pages_alloc(1));
	p = kin_pages_alloc_last(1);
	assert_non_null(p);
	kin_pages_free(p, 1);
	ROOT->pages_used = total - 8192 - 2;
	assert_null(kin_pages_alloc_data(1));
	p = kin_pages_alloc(1);
	assert_non_null(p);
	kin_pages_free(p, 1);
	ROOT->pages_used = used;
	p = kin_pages_alloc_data(1);
	assert_non_null(p);
	kin_pages_free(p, 1);
}

static void full_is_null(void **state)
{
	assert_null(kin_pages_alloc(KIN_PAGES));
	char *big = kin_pages_alloc(KIN_PAGES / 2);
	assert_non_null(big);
	assert_null(kin_pages_alloc(KIN_PAGES / 2));
	char *small = kin_pages_alloc(1);
	assert_non_null(small);
	kin_pages_free(small, 1);
	kin_pages_free(big, KIN_PAGES / 2);
}

/* ---- objects */

static void object_pages_come_and_go(void **state)
{
	u64 before, run;
	struct kin_object *o = object_create(0);
	char *first;

	before = env_pages();
	assert_null(object_page(o, 0, false, NULL));
	for (u64 i = 0; i < 40; i++) {
		char *p = object_page(o, i, true, NULL);

		assert_true(all_bytes((unsigned char *)p, 0, PAGE_SIZE));
		memset(p, i, PAGE_SIZE);
	}
	first = object_page(o, 8, false, &run);
	assert_true(run >= 32);
	assert_int_equal(first[PAGE_SIZE], 9);
	assert_non_null(object_page(o, 600, true, NULL));
	assert_non_null(object_page(o, 1ull << 26, true, NULL));
	assert_int_equal(object_pages(o), 42);
	object_truncate(o, 20);
	assert_int_equal(object_pages(o), 20);
	assert_null(object_page(o, 20, false, NULL));
	assert_null(object_page(o, 600, false, NULL));
	assert_int_equal(*(char *)object_page(o, 19, false, NULL), 19);
	object_punch(o, 3, 2);
	assert_null(object_page(o, 4, false, NULL));
	assert_int_equal(*(char *)object_page(o, 5, false, NULL), 5);
	own_free(o);
	assert_true(env_pages() <= before);
}

static void mapped_object_keeps_its_pages(void **state)
{
	struct kin_object *o = object_create(0);
	char *p = object_page(o, 2, true, NULL);

	memset(p, 7, PAGE_SIZE);
	void **second = hold_new(OWN_OBJECT);
	ref_get(OWN_OBJECT, o, second);
	object_truncate(o, 0);
	assert_ptr_equal(object_page(o, 2, false, NULL), p);
	assert_true(all_bytes((unsigned char *)p, 0, PAGE_SIZE));
	ref_put(OWN_OBJECT, second);
	object_truncate(o, 0);
	assert_null(object_page(o, 2, false, NULL));
	own_free(o);
}

static void reserved_object_is_one_run(void **state)
{
	u64 run, before = env_pages();
	struct kin_object *o = object_create(1000);
	char *p = object_page(o, 10, true, &run);

	assert_int_equal(run, 990);
	memset(p, 1, PAGE_SIZE);
	object_punch(o, 10, 1);
	assert_true(all_bytes((unsigned char *)p, 0, PAGE_SIZE));
	p = object_page(o, 500, true, NULL);
	memset(p, 1, PAGE_SIZE);
	object_truncate(o, 100);
	assert_int_equal(object_pages(o), 1000);
	assert_true(all_bytes((unsigned char *)p, 0, PAGE_SIZE));
	assert_non_null(object_page(o, 1000, true, NULL));
	assert_int_equal(object_pages(o), 1001);
	own_free(o);
	assert_in_range(env_pages(), before, before + 1);
}

/* ---- members at once */

struct contest {
	KIN_LOCK(lock, TEST);
	u64 counter, twin;
};

static void contend(void *arg)
{
	struct contest *c = arg;

	for (u32 i = 0; i < 100000; i++) {
		kin_lock(&c->lock);
		c->counter++;
		c->twin++;
		kin_unlock(&c->lock);
	}
}

static void lock_excludes(void **state)
{
	struct contest *c = kin_alloc(sizeof(*c));
	u32 member[3];
	pid_t pid[3];

	for (u32 i = 0; i < 3; i++)
		pid[i] = env_fork(contend, c, &member[i]);
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(env_reap(pid[i], member[i], false), 0);
	assert_int_equal(c->counter, 300000);
	assert_int_equal(c->twin, 300000);
	kin_free(c);
}

static bool repair(void *arg)
{
	struct contest *c = arg;

	c->twin = c->counter;
	return true;
}

static void die_holding(void *arg)
{
	struct contest *c = arg;

	kin_lock(&c->lock);
	c->counter++;
	_exit(0);
}

static void orphan_is_recovered(void **state)
{
	struct contest *c = kin_alloc(sizeof(*c));
	u32 member;
	pid_t pid = env_fork(die_holding, c, &member);

	env_reap(pid, member, false);
	assert_true(kin_lock_orphaned(&c->lock));
	kin_lock_recover(&c->lock, repair, c);
	assert_int_equal(c->counter, 1);
	assert_int_equal(c->twin, 1);
	kin_unlock(&c->lock);
	assert_false(kin_lock_orphaned(&c->lock));
	kin_free(c);
}

/* ---- counts, asked about while others change them */

#define COUNT_NS 1000000000ull
#define COUNT_END (~0u)
struct counted {
	struct kin_object *object;
	_Atomic u32 round; /* the asker made its change of this one */
	_Atomic u32 done;  /* the other one, too */
};

static u32 await(_Atomic u32 *word, u32 at_least)
{
	u32 value;

	for (u32 n = 0; (value = atomic_load(word)) < at_least; n++)
		if (n > 1000)
			sched_yield();
	return value;
}

static void spin_some(void)
{
	for (volatile u32 n = env_random(64); n; n--)
		;
}

static void change_too(void *arg)
{
	struct counted *c = arg;

	for (u32 i = 1; await(&c->round, i) != COUNT_END; i++) {
		struct own_record *r = own_begin(OWN_OBJECT, STEP_DROPPING, NULL, c->object);

		spin_some();
		ref_change(r, -1);
		own_end(r);
		atomic_store(&c->done, i);
	}
}

/* A change that was made is seen as made, and not as the last one, whenever others make theirs. */
static void changes_are_seen(void **state)
{
	struct counted *c = kin_alloc(sizeof(*c));
	u32 member, lost = 0, last = 0;
	u64 end = env_now_ns() + COUNT_NS;

	c->object = object_create(0);
	struct kin_ref *ref = (void *)((char *)c->object + own_kinds[OWN_OBJECT]->ref_at);
	pid_t pid = env_fork(change_too, c, &member);
	for (u32 i = 1; env_now_ns() < end; i++) {
		struct own_record *r = own_begin(OWN_OBJECT, STEP_DROPPING, NULL, c->object);

		ref_init(ref, 2);
		ref_change(r, -1);
		atomic_store(&c->round, i);
		spin_some();
		lost += !ref_changed(BOOT_INFO->member, r);
		last += ref_is_last(BOOT_INFO->member, r);
		await(&c->done, i);
		own_end(r);
	}
	atomic_store(&c->round, COUNT_END);
	assert_int_equal(env_reap(pid, member, false), 0);
	assert_int_equal(lost, 0);
	assert_int_equal(last, 0);
	ref_init(ref, 1);
	own_free(c->object);
	kin_free(c);
}

/* ---- the order of locks */

struct ordered {
	KIN_LOCK(outer, BURY);
	KIN_LOCK(first, TEST);
	KIN_LOCK(second, TEST);
	int wrong; /* what the member does against the order */
	int says[2];
};

static void take_in_order(void *arg)
{
	struct ordered *o = arg;

	dup2(o->says[1], 2);
	if (o->wrong == 1) {
		kin_lock(&o->first);
		kin_lock(&o->outer);
	} else if (o->wrong == 2) {
		kin_lock(&o->second);
		kin_lock(&o->first);
	}
	if (o->wrong)
		return;
	kin_lock(&o->outer);
	kin_lock(&o->first);
	kin_lock(&o->second);
	kin_unlock(&o->first); /* given back in any order */
	kin_lock_nested(&o->first, NULL, NULL, "a test");
	kin_unlock(&o->outer);
	kin_unlock(&o->second);
	kin_unlock(&o->first);
}

static void order_is_checked(void **state)
{
	static const char *const said[][2] = {
		{NULL, NULL}, {"&o->outer", "&o->first"}, {"&o->first", "&o->second"}};
	struct ordered *o = kin_alloc(sizeof(*o));
	char text[400];
	u32 member;

	for (u32 i = 0; i < ARRAY_SIZE(said); i++) {
		memset(o, 0, sizeof(*o));
		o->wrong = i;
		assert_int_equal(pipe(o->says), 0);
		int pid = env_fork(take_in_order, o, &member);
		int status = env_reap(pid, member, false);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), i ? 99 : 0);
		close(o->says[1]);
		ssize_t n = read(o->says[0], text, sizeof(text) - 1);
		close(o->says[0]);
		text[MAX(n, 0)] = 0;
		if (i) {
			assert_non_null(strstr(text, said[i][0]));
			assert_non_null(strstr(text, said[i][1]));
		} else {
			assert_string_equal(text, "");
		}
	}
	kin_free(o);
}

/* Dies with everything redundant about a class of objects wrong. */
static void die_in_slab(void *arg)
{
	struct slab_class *c = arg;

	kin_lock(&c->lock);
	c->partial = NULL;
	c->empty = 77;
	_exit(0);
}

static void slabs_are_rebuilt(void **state)
{
	void *p[200];
	u32 member;
	u64 before, class = 0;

	while (ROOT->classes[class].size != 320)
		class++;
	for (u32 i = 0; i < 200; i++)
		p[i] = kin_alloc(320);
	for (u32 i = 0; i < 200; i += 2)
		kin_free(p[i]);
	int pid = env_fork(die_in_slab, &ROOT->classes[class], &member);
	env_reap(pid, member, false);
	before = env_pages();
	for (u32 i = 0; i < 200; i += 2)
		p[i] = kin_alloc(320); /* the free ones are found again */
	assert_int_equal(env_pages(), before);
	for (u32 i = 0; i < 200; i++)
		kin_free(p[i]);
	assert_true(env_pages() < before);
}

/* Takes and gives memory until it is killed; nothing of it may be seen by two. */
static void churn(void *arg)
{
	struct { unsigned char *p; size_t size; } slot[SLOTS] = {{0}};
	unsigned char tag = BOOT_INFO->member;
	u32 rounds = (u32)(u64)arg;

	srand(tag);
	for (u32 i = 0; rounds == 0 || i < rounds; i++) {
		u32 s = rand() % SLOTS;

		if (slot[s].p) {
			if (!all_bytes(slot[s].p, tag, slot[s].size))
				_exit(97);
			kin_free(slot[s].p);
			slot[s].p = NULL;
			continue;
		}
		slot[s].size = rand() % 8 ? 1 + rand() % 600 : 1 + rand() % 20000;
		slot[s].p = kin_alloc(slot[s].size);
		if (!slot[s].p || !all_bytes(slot[s].p, 0, slot[s].size))
			_exit(96);
		memset(slot[s].p, tag, slot[s].size);
	}
	for (u32 s = 0; s < SLOTS; s++)
		if (slot[s].p)
			kin_free(slot[s].p);
}

static void members_share_the_allocator(void **state)
{
	u64 before = env_pages();
	u32 member[4];
	pid_t pid[4];

	for (u32 i = 0; i < 4; i++)
		pid[i] = env_fork(churn, (void *)20000, &member[i]);
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(env_reap(pid[i], member[i], false), 0);
	assert_in_range(env_pages(), before, before + SLAB_CLASSES);
}

static void killed_members_leave_it_whole(void **state)
{
	u32 member[3], other;
	pid_t pid[3], survivor = env_fork(churn, (void *)60000, &other);

	for (u32 i = 0; i < 3; i++)
		pid[i] = env_fork(churn, NULL, &member[i]);
	for (u32 kills = 0; kills < 60; kills++) {
		u32 i = kills % 3;

		usleep(500 + env_random(2000));
		assert_int_equal(env_reap(pid[i], member[i], true), 9);
		pid[i] = env_fork(churn, NULL, &member[i]);
	}
	for (u32 i = 0; i < 3; i++)
		env_reap(pid[i], member[i], true);
	assert_int_equal(env_reap(survivor, other, false), 0);
	/* And it still works. */
	sizes_are_zeroed_and_distinct(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_zeroed_and_distinct),
		cmocka_unit_test(cache_line_sizes_are_aligned),
		cmocka_unit_test(runs_are_contiguous_and_reused),
		cmocka_unit_test(free_memory_goes_back_in_batches),
		cmocka_unit_test(applications_leave_room),
		cmocka_unit_test(full_is_null),
		cmocka_unit_test(object_pages_come_and_go),
		cmocka_unit_test(mapped_object_keeps_its_pages),
		cmocka_unit_test(reserved_object_is_one_run),
		cmocka_unit_test(lock_excludes),
		cmocka_unit_test(orphan_is_recovered),
		cmocka_unit_test(changes_are_seen),
		cmocka_unit_test(order_is_checked),
		cmocka_unit_test(slabs_are_rebuilt),
		cmocka_unit_test(members_share_the_allocator),
		cmocka_unit_test(killed_members_leave_it_whole),
	};

	env_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
