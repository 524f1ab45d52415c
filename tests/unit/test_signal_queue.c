/* SPDX-License-Identifier: ISC */
/*
 * Pending sets: coalescing, order, limits, flushing, and repair after a sender died at any step.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/errno.h>
#include <asm/siginfo.h>

#include "kernel/signal/signal_delivery.h"
#include "kernel/task/signal_queue.h"

#define RT SIGRTMIN

static struct signal_queue queue;
static _Atomic u64 pending;
static struct signal_node nodes[16];

static int set_up(void **state)
{
	(void)state;
	queue = (struct signal_queue){ 0 };
	pending = 0;
	return 0;
}

static int post(int sig, int code, u64 value, int node, u64 limit)
{
	struct ksiginfo info = { .signo = sig, .code = code, .rt = { .value = value } };
	struct signal_node *n = node < 0 ? NULL : &nodes[node];
	int rc = signal_queue_post(&queue, &pending, &info, limit, &n);

	if (node >= 0)
		assert_int_equal(n == NULL, rc == 1 && sig >= 32);
	return rc;
}

static void expect(int sig, u64 value)
{
	struct ksiginfo info;

	assert_int_equal(signal_choose(pending), sig);
	signal_queue_take(&queue, &pending, sig, &info);
	assert_int_equal(info.signo, sig);
	assert_int_equal(info.rt.value, value);
}

static void test_standard_coalesce(void **state)
{
	(void)state;
	assert_int_equal(post(SIGUSR1, SI_QUEUE, 1, -1, 0), 1);
	assert_int_equal(post(SIGUSR1, SI_QUEUE, 2, -1, 0), 0);
	expect(SIGUSR1, 1);
	assert_int_equal(pending, 0);
	assert_int_equal(post(SIGUSR1, SI_QUEUE, 3, -1, 0), 1);
	expect(SIGUSR1, 3);
}

static void test_order(void **state)
{
	(void)state;
	post(RT + 2, SI_QUEUE, 20, 0, 9);
	post(RT, SI_QUEUE, 1, 1, 9);
	post(RT + 2, SI_QUEUE, 21, 2, 9);
	post(RT, SI_QUEUE, 2, 3, 9);
	post(SIGUSR2, SI_USER, 0, -1, 9);
	post(SIGHUP, SI_USER, 0, -1, 9);
	post(SIGSEGV, SI_KERNEL, 0, -1, 9);
	post(SIGKILL, SI_USER, 0, -1, 9);
	assert_int_equal(queue.queued, 4);
	expect(SIGKILL, 0);
	expect(SIGSEGV, 0);
	expect(SIGHUP, 0);
	expect(SIGUSR2, 0);
	expect(RT, 1);
	assert_true(pending & SIGBIT(RT));
	expect(RT, 2);
	assert_false(pending & SIGBIT(RT));
	expect(RT + 2, 20);
	expect(RT + 2, 21);
	assert_int_equal(pending, 0);
	assert_null(queue.head);
	assert_null(queue.tail);
	assert_int_equal(queue.queued, 0);
}

static void test_limit(void **state)
{
	(void)state;
	assert_int_equal(post(RT, SI_QUEUE, 1, 0, 1), 1);
	assert_int_equal(post(RT, SI_QUEUE, 2, 1, 1), -EAGAIN);
	assert_int_equal(post(RT, SI_TKILL, 2, 1, 1), -EAGAIN);
	assert_int_equal(post(RT + 1, SI_QUEUE, 2, -1, 9), -EAGAIN);
	assert_false(pending & SIGBIT(RT + 1));
	/* kill(2) is never refused; the signal comes without a value. */
	struct ksiginfo info = { .signo = RT + 1, .code = SI_USER };
	struct signal_node *none = NULL;
	assert_int_equal(signal_queue_post(&queue, &pending, &info, 1, &none), 1);
	expect(RT, 1);
	expect(RT + 1, 0);
	assert_int_equal(pending, 0);
}

static void test_take_from_the_middle(void **state)
{
	struct ksiginfo info;

	(void)state;
	post(RT, SI_QUEUE, 1, 0, 9);
	post(RT + 1, SI_QUEUE, 2, 1, 9);
	assert_ptr_equal(signal_queue_take(&queue, &pending, RT + 1, &info), &nodes[1]);
	assert_ptr_equal(queue.tail, &nodes[0]);
	post(RT + 3, SI_QUEUE, 3, 2, 9);
	expect(RT, 1);
	expect(RT + 3, 3);
}

static void test_flush(void **state)
{
	struct signal_node *freed;
	int n = 0;

	(void)state;
	for (int i = 0; i < 6; i++)
		post(RT + i % 2, SI_QUEUE, (u64)i, i, 9);
	post(SIGTSTP, SI_USER, 0, -1, 9);
	freed = signal_queue_flush(&queue, &pending, SIGBIT(RT) | SIGSET_STOP);
	for (; freed; freed = freed->next, n++)
		assert_int_equal(freed->info.signo, RT);
	assert_int_equal(n, 3);
	expect(RT + 1, 1);
	expect(RT + 1, 3);
	expect(RT + 1, 5);
	assert_int_equal(pending, 0);
}

/* What a sender or a taker may leave behind: a linked node that nobody counted, wrong bits. */
static void test_repair(void **state)
{
	(void)state;
	post(RT, SI_QUEUE, 1, 0, 9);
	post(RT + 1, SI_QUEUE, 2, 1, 9);
	nodes[2] = (struct signal_node){ .info = { .signo = RT + 2, .rt = { .value = 3 } } };
	nodes[1].next = &nodes[2]; /* linked, then killed */
	pending &= ~SIGBIT(RT);
	pending |= SIGBIT(RT + 9);
	post(SIGUSR1, SI_USER, 0, -1, 9);
	signal_queue_repair(&queue, &pending);
	assert_int_equal(queue.queued, 3);
	assert_ptr_equal(queue.tail, &nodes[2]);
	expect(SIGUSR1, 0);
	expect(RT, 1);
	expect(RT + 1, 2);
	expect(RT + 2, 3);
	assert_int_equal(pending, 0);
	signal_queue_repair(&queue, &pending);
	assert_int_equal(post(RT, SI_QUEUE, 7, 0, 9), 1);
	expect(RT, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_standard_coalesce, set_up),
		cmocka_unit_test_setup(test_order, set_up),
		cmocka_unit_test_setup(test_limit, set_up),
		cmocka_unit_test_setup(test_take_from_the_middle, set_up),
		cmocka_unit_test_setup(test_flush, set_up),
		cmocka_unit_test_setup(test_repair, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
