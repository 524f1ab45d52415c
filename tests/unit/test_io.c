/* SPDX-License-Identifier: ISC */
/*
 * The monitor's rule for signals: a plain host call is made whole, and a call on a standard
 * descriptor is interrupted only if it would have to wait. Standard input is a pipe here, for
 * reading and for writing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "monitor/core/core_internal.h"

#define WINDOW ALIGN_DOWN(PERCPU_ADDR, PAGE_SIZE)
#define NOTED ((volatile u32 *)(PERCPU_ADDR + PERCPU_IRQ_PENDING))

static struct member member;
static unsigned bounds, signals;
static int ends[2];
static char *area; /* guest memory */
#define AREA_SIZE (1u << 20)

void timer_bound(struct member *m, u64 deadline_ns)
{
	struct itimerval soon = {.it_value.tv_usec = 10000};

	bounds++;
	setitimer(ITIMER_REAL, &soon, NULL);
}

u64 host_clock_ns(int clock)
{
	return 0;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	signals++;
	member.interrupted = 1;
	interruptible_fix(context);
}

static void use_end(int end)
{
	assert_int_equal(dup2(ends[end], STDIN_FILENO), STDIN_FILENO);
}

static int setup(void **state)
{
	struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	struct itimerval never = {0};

	if (!area) {
		area = mmap((void *)0x30000000, AREA_SIZE, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (area == MAP_FAILED ||
			mmap((void *)WINDOW, PAGE_SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
			return -1;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &sa, NULL);
	member = (struct member){0};
	*NOTED = 0;
	bounds = signals = 0;
	return pipe(ends);
}

static int teardown(void **state)
{
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static s64 io(s64 (*fn)(struct member *m, struct hypercall_call *call), u64 len, u64 wait)
{
	struct hypercall_call call = {.arg = {STDIN_FILENO, (u64)area, len, wait}};

	return fn(&member, &call);
}

static void fill(void)
{
	int flags = fcntl(ends[1], F_GETFL);

	fcntl(ends[1], F_SETFL, flags | O_NONBLOCK);
	while (write(ends[1], area, 4096) > 0)
		;
	fcntl(ends[1], F_SETFL, flags);
}

static void arm(unsigned ms, unsigned again_ms)
{
	struct itimerval t = {{0, again_ms * 1000}, {0, ms * 1000}};

	setitimer(ITIMER_REAL, &t, NULL);
}

/* The signal's second coming lets the call succeed; the first must not have ended it. */
static void on_second(int sig)
{
	if (++signals == 2)
		(void)!write(ends[1], "x", 1);
}

static void test_made_whole(void **state)
{
	struct sigaction sa = {.sa_handler = on_second};
	char byte = 0;

	sigaction(SIGALRM, &sa, NULL);
	arm(5, 5);
	assert_int_equal(HOST_CALL(SYS_read, ends[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	assert_true(signals >= 2);
}

static void test_ready_is_not_interrupted(void **state)
{
	for (int noted = 0; noted < 2; noted++) {
		use_end(1);
		member.interrupted = !noted;
		*NOTED = (u32)noted;
		assert_int_equal(io(hyp_io_write, 100, HYP_IO_WAIT), 100);
		use_end(0);
		member.interrupted = !noted;
		assert_int_equal(io(hyp_io_read, 4096, HYP_IO_WAIT), 100);
	}
	assert_int_equal(bounds, 4);
}

static void test_wait_is_interrupted(void **state)
{
	use_end(0);
	member.interrupted = 1;
	assert_int_equal(io(hyp_io_read, 1, HYP_IO_WAIT), -EINTR);
	member.interrupted = 0;
	*NOTED = 1;
	assert_int_equal(io(hyp_io_read, 1, HYP_IO_WAIT), -EINTR);
	*NOTED = 0;
	arm(20, 0);
	assert_int_equal(io(hyp_io_read, 1, HYP_IO_WAIT), -EINTR);
	assert_int_equal(signals, 1);
	use_end(1);
	fill();
	member.interrupted = 1;
	assert_int_equal(io(hyp_io_write, 1, HYP_IO_WAIT), -EINTR);
	assert_int_equal(bounds, 0);
}

/* A file takes everything, a pipe with room as much as cannot wait. */
static void test_large_write(void **state)
{
	char name[] = "/tmp/unifork-io-XXXXXX";
	int fd = mkstemp(name);

	use_end(1);
	member.interrupted = 1;
	assert_int_equal(io(hyp_io_write, AREA_SIZE, HYP_IO_WAIT), HYP_IO_READY);
	assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	member.interrupted = 1;
	assert_int_equal(io(hyp_io_write, AREA_SIZE, HYP_IO_WAIT), AREA_SIZE);
	unlink(name);
	close(fd);
}

static void test_no_wait(void **state)
{
	use_end(0);
	assert_int_equal(io(hyp_io_read, 1, HYP_IO_NOWAIT), -EAGAIN);
	use_end(1);
	assert_int_equal(io(hyp_io_write, 10, HYP_IO_NOWAIT), 10);
	use_end(0);
	member.interrupted = 1;
	assert_int_equal(io(hyp_io_read, 100, HYP_IO_NOWAIT), 10);
	use_end(1);
	fill();
	assert_int_equal(io(hyp_io_write, 1, HYP_IO_NOWAIT), -EAGAIN);
}

static void test_arguments(void **state)
{
	struct hypercall_call call = {.arg = {3, (u64)area, 1, HYP_IO_WAIT}};

	assert_int_equal(hyp_io_read(&member, &call), -EBADF);
	assert_int_equal(hyp_io_write(&member, &call), -EBADF);
	assert_int_equal(io(hyp_io_write, 1, 2), -EINVAL);
	use_end(0);
	call = (struct hypercall_call){.arg = {STDIN_FILENO, 0x5401 /* TCGETS */, (u64)area, 64}};
	member.interrupted = 1;
	assert_int_equal(hyp_io_ioctl(&member, &call), -ENOTTY);
	call.arg[1] = 0x5402 + 1; /* TCSETSW */
	member.interrupted = 1;
	assert_int_equal(hyp_io_ioctl(&member, &call), -ENOTTY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_made_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ready_is_not_interrupted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wait_is_interrupted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arguments, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
