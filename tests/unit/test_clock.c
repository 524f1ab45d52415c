/* SPDX-License-Identifier: ISC */
/*
 * The family's clock: a record whose rate is wrong by 200 ppm is brought to the host's clock
 * without ever stepping back, a writer that died in the middle is replaced, one that lives is
 * not.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "monitor/core/core_internal.h"

#define OWN CLOCK_OWNER(1u, 1u)
#define OTHER CLOCK_OWNER(2u, 7u)

static u64 record_ns(const struct kin_clock *c)
{
	return c->mono_base_ns +
		   (u64)((unsigned __int128)(host_rdtsc() - c->tsc_base) * c->mult >> c->shift);
}

static s64 error_ns(const struct kin_clock *c)
{
	u64 before = host_clock_ns(CLOCK_MONOTONIC);
	u64 ns = record_ns(c);
	u64 after = host_clock_ns(CLOCK_MONOTONIC);

	return (s64)(ns - (before + (after - before) / 2));
}

static struct kin_header *kin_make(void)
{
	struct kin_header *kin = calloc(1, sizeof(*kin));

	assert_non_null(kin);
	struct clock_pair first = clock_pair_read();

	clock_calibrate(&kin->clock, &first, true);
	if (!kin->clock.usable) {
		print_message("skipped: the host's clock source is not the TSC\n");
		skip();
	}
	return kin;
}

static void test_calibrate(void **state)
{
	struct kin_header *kin = kin_make();

	assert_true(llabs(error_ns(&kin->clock)) < 20000);
	free(kin);
}

static void test_converges(void **state)
{
	struct kin_header *kin = kin_make();
	struct timespec wait = {.tv_nsec = 1000000};
	u64 last = 0;

	kin->clock.mult -= kin->clock.mult / 5000;
	for (int i = 0; i < 700; i++) {
		u64 ns = clock_guest_ns(kin, OWN, CLOCK_MONOTONIC);

		assert_true(ns >= last);
		last = record_ns(&kin->clock);
		assert_true(last >= ns);
		nanosleep(&wait, NULL);
	}
	assert_true(kin->clock.seq > 2);
	assert_true(llabs(error_ns(&kin->clock)) < 100000);
	free(kin);
}

static void test_dead_writer(void **state)
{
	struct kin_header *kin = kin_make();
	struct kin_clock *c = &kin->clock;

	kin->members[2].generation = 7;
	kin->members[2].state = MEMBER_LIVE;
	c->owner = OTHER;
	c->seq = 3;
	c->mono_base_ns = 1;
	clock_refresh(kin, OWN);
	assert_int_equal(c->seq, 3); /* it lives: its own business */
	kin->members[2].generation = 8;
	clock_refresh(kin, OWN);
	assert_int_equal(c->seq, 4);
	assert_int_equal(c->owner, 0);
	assert_true(llabs(error_ns(c)) < 100000);
	free(kin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calibrate),
		cmocka_unit_test(test_converges),
		cmocka_unit_test(test_dead_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
