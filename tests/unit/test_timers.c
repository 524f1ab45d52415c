/* SPDX-License-Identifier: ISC */
/* Timer lists, periods, and the arithmetic of the clock record. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/time/clock_read.h"
#include "kernel/time/timer_list.h"

static void test_order(void **state)
{
	static const u64 expiry[] = { 50, 10, 30, 10, 90, 30 };
	static const int order[] = { 1, 3, 2, 5, 0, 4 };
	struct timer timers[ARRAY_SIZE(expiry)] = { 0 }, *t;
	struct timer_list list = TAILQ_HEAD_INITIALIZER(list);
	size_t i = 0;

	(void)state;
	for (; i < ARRAY_SIZE(expiry); i++) {
		timers[i].expiry_ns = expiry[i];
		timer_list_add(&list, &timers[i]);
	}
	i = 0;
	TAILQ_FOREACH(t, &list, armed_link)
		assert_ptr_equal(t, &timers[order[i++]]);
	assert_int_equal(i, ARRAY_SIZE(expiry));
	timer_list_del(&list, &timers[1]);
	timer_list_del(&list, &timers[1]);
	assert_ptr_equal(TAILQ_FIRST(&list), &timers[3]);
}

static void test_forward(void **state)
{
	struct timer t = { .expiry_ns = 100, .interval_ns = 10 };

	(void)state;
	assert_int_equal(timer_forward(&t, 99), 0);
	assert_int_equal(t.expiry_ns, 100);
	assert_int_equal(timer_forward(&t, 100), 0);
	assert_int_equal(t.expiry_ns, 110);
	assert_int_equal(timer_forward(&t, 145), 3);
	assert_int_equal(t.expiry_ns, 150);
	t.interval_ns = 0;
	assert_int_equal(timer_forward(&t, 1000), 0);
	assert_int_equal(t.expiry_ns, 150);
}

static void test_remaining(void **state)
{
	struct timer t = { .expiry_ns = 100 };

	(void)state;
	assert_int_equal(timer_remaining(&t, 40), 60);
	assert_int_equal(timer_remaining(&t, 100), 1);
	t.interval_ns = 30;
	assert_int_equal(timer_remaining(&t, 100), 30);
	assert_int_equal(timer_remaining(&t, 145), 15);
	assert_int_equal(t.expiry_ns, 100);
	t.expiry_ns = 0;
	assert_int_equal(timer_remaining(&t, 145), 0);
}

static void test_scale(void **state)
{
	(void)state;
	/* 2.5 GHz: 0.4 ns per tick */
	u64 mult = (u64)(0.4 * 4294967296.0), year = 2500000000ull * 86400 * 365;

	assert_int_equal(clock_scale(1000, 1000, mult, 32), 0);
	assert_int_equal(clock_scale(999, 1000, mult, 32), 0);
	assert_int_equal(clock_scale(1000 + 5000, 1000, mult, 32), 1999);
	/* The product needs more than 64 bits. */
	u64 ns = clock_scale(year, 0, mult, 32);
	assert_in_range(ns, 86400ull * 365 * 1000000000 - 10000000, 86400ull * 365 * 1000000000);
}

static void test_read(void **state)
{
	struct kin_clock c = { .seq = 2, .usable = 1, .shift = 32, .mult = 1ull << 31,
		.mono_base_ns = 1000, .realtime_offset_ns = -5, .boottime_offset_ns = 7 };
	struct clock_sample s;

	(void)state;
	c.tsc_base = arch_cycles_ordered();
	assert_true(clock_read(&c, &s));
	assert_true(s.mono_ns >= 1000);
	assert_int_equal(s.realtime_offset_ns, -5);
	assert_int_equal(s.boottime_offset_ns, 7);
	/* A TSC that is a little behind the record's does not go back before it. */
	c.tsc_base += 1ull << 40;
	assert_true(clock_read(&c, &s));
	assert_int_equal(s.mono_ns, 1000);
	c.seq = 3; /* its writer died */
	assert_false(clock_read(&c, &s));
	c.seq = 4;
	c.usable = 0;
	assert_false(clock_read(&c, &s));
	c.usable = 1;
	c.tsc_base = 1; /* old */
	c.mult = 1ull << 40;
	assert_false(clock_read(&c, &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_forward),
		cmocka_unit_test(test_remaining),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
