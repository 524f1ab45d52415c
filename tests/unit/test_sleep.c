/* SPDX-License-Identifier: ISC */
/*
 * The member's timer (hyp_timer): its signal comes for every deadline, also for one that has
 * passed while it was armed, and never before it; it can be turned off and moved; and a fork's
 * child starts without it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "monitor/core/core_internal.h"

#define ROUNDS 3000
#define LATEST_NS 5000000000ull /* a hang, not a measurement */

static volatile u64 came_ns;
static volatile int came;

u64 host_clock_ns(int clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec;
}

struct kin_member *member_record(const struct member *m)
{
	return NULL;
}

bool handle_valid(const struct member *m, u64 handle)
{
	return false;
}

bool guest_range_valid(const struct family *f, u64 addr, u64 len)
{
	return false;
}

s64 guest_read(void *dst, u64 addr, size_t len)
{
	return -1;
}

s64 guest_write(u64 addr, const void *src, size_t len)
{
	return -1;
}

static void on_timer(int sig)
{
	came_ns = host_clock_ns(CLOCK_MONOTONIC);
	came++;
}

static void arm(u64 deadline_ns)
{
	struct hypercall_call call = {.number = HYP_timer, .arg = {deadline_ns}};
	struct member m = {0};

	assert_int_equal(hyp_timer(&m, &call), 0);
}

static void wait_for(int count)
{
	u64 end = host_clock_ns(CLOCK_MONOTONIC) + LATEST_NS;

	while (came < count)
		assert_true(host_clock_ns(CLOCK_MONOTONIC) < end);
}

/* Deadlines from a little in the past to 300 us ahead. */
static void test_each_comes(void **state)
{
	u32 seed = 1;

	for (int i = 0; i < ROUNDS; i++) {
		s64 from_now = (s64)((seed = seed * 1103515245 + 12345) >> 8) % 310000 - 10000;
		u64 deadline = host_clock_ns(CLOCK_MONOTONIC) + (u64)from_now;

		came = 0;
		arm(deadline);
		wait_for(1);
		assert_true(came_ns >= deadline);
	}
	came = 0;
	arm(1);
	wait_for(1);
}

static void test_off_and_moved(void **state)
{
	u64 now = host_clock_ns(CLOCK_MONOTONIC);

	came = 0;
	arm(now + 10000000000);
	arm(0);
	arm(now + 3600000000000);
	arm(now + 60000000);
	wait_for(1);
	assert_true(came_ns >= now + 60000000);
	usleep(30000);
	assert_int_equal(came, 1);
	/* Too far for the host's type: far away, not at once. */
	arm(~0ull - 1);
	usleep(30000);
	assert_int_equal(came, 1);
	arm(0);
}

static void test_fork(void **state)
{
	struct itimerval left;
	int status;

	arm(host_clock_ns(CLOCK_MONOTONIC) + 3600000000000);
	pid_t pid = fork();
	if (pid == 0)
		_exit(getitimer(ITIMER_REAL, &left) || left.it_value.tv_sec || left.it_value.tv_usec);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(getitimer(ITIMER_REAL, &left), 0);
	assert_true(left.it_value.tv_sec > 3000);
	arm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_comes),
									   cmocka_unit_test(test_off_and_moved),
									   cmocka_unit_test(test_fork)};

	signal(TIMER_SIGNAL, on_timer);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
