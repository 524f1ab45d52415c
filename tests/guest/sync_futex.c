/* SPDX-License-Identifier: ISC */
/*
 * Raw futexes across members: values, wake counts, time-outs, requeue, private ones not shared.
 * @test timeout=30 members=4
 */
#include "guest.h"
#include <linux/futex.h>

static long futex(volatile int *word, int operation, int value, const void *time,
				  volatile int *second)
{
	return syscall(SYS_futex, word, operation, value, time, second, 0);
}

int main(void)
{
	volatile int *words = shared_memory(4096);
	struct timespec little = {0, 20000000};
	pid_t pids[3];

	result("value differs", futex(&words[0], FUTEX_WAIT, 1, NULL, NULL));
	result("time-out", futex(&words[0], FUTEX_WAIT, 0, &little, NULL));
	result("wake of nobody", futex(&words[0], FUTEX_WAKE, 1, NULL, NULL));
	result("unaligned", futex((volatile int *)((char *)words + 1), FUTEX_WAIT, 0, NULL, NULL));
	result("bad address", futex((volatile int *)16, FUTEX_WAIT, 0, NULL, NULL));
	result("wrong operation", futex(&words[0], 99, 0, NULL, NULL));
	for (int i = 0; i < 3; i++) {
		pids[i] = fork_or_die();
		if (pids[i] == 0) {
			__atomic_fetch_add(&words[1], 1, __ATOMIC_SEQ_CST);
			while (words[0] == 0)
				futex(&words[0], FUTEX_WAIT, 0, NULL, NULL);
			_exit(words[0]);
		}
	}
	while (words[1] < 3)
		sched_yield();
	words[0] = 7;
	long woken = 0;
	for (int i = 0; i < 3; i++)
		woken += futex(&words[0], FUTEX_WAKE, 1, NULL, NULL);
	check("at most three woken", woken <= 3);
	for (int i = 0; i < 3; i++)
		child_report("waiter", pids[i]);
	return finish();
}
