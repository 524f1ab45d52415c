/* SPDX-License-Identifier: ISC */
/*
 * futex between threads, on private and on shared words: requeue, compare and requeue, bit sets,
 * absolute and relative time-outs on both clocks, FUTEX_WAKE_OP.
 * @test timeout=30 members=1
 */
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>

#define THREADS 4

static int flags;
static volatile int *words;
static volatile int waiting;

static long futex(volatile int *word, int operation, int value, const void *time,
		  volatile int *second, int third)
{
	return syscall(SYS_futex, word, operation | flags, value, time, second, third);
}

/* Waits for bit number `argument` on word 0; woken there or on the word it was moved to. */
static void *wait_bit(void *argument)
{
	__atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
	return (void *)futex(&words[0], FUTEX_WAIT_BITSET, 0, NULL, NULL, 1 << (long)argument);
}

static void start(pthread_t *threads)
{
	waiting = 0;
	for (long i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, wait_bit, (void *)i);
	while (waiting < THREADS)
		sched_yield();
	pause_ms(50);
}

static void join(pthread_t *threads)
{
	long sum = 0;

	for (int i = 0; i < THREADS; i++) {
		void *value;

		pthread_join(threads[i], &value);
		sum += (long)value;
	}
	say("waiters returned %ld", sum);
}

static void wakes(void)
{
	pthread_t threads[THREADS];

	start(threads);
	result("wake bit 1", futex(&words[0], FUTEX_WAKE_BITSET, 9, NULL, NULL, 1 << 1));
	result("wake bit 1 again", futex(&words[0], FUTEX_WAKE_BITSET, 9, NULL, NULL, 1 << 1));
	result("wake no bit", futex(&words[0], FUTEX_WAKE_BITSET, 9, NULL, NULL, 0));
	result("wake two", futex(&words[0], FUTEX_WAKE, 2, NULL, NULL, 0));
	result("wake the rest", futex(&words[0], FUTEX_WAKE, 9, NULL, NULL, 0));
	join(threads);
	start(threads);
	result("compare and requeue, wrong",
	       futex(&words[0], FUTEX_CMP_REQUEUE, 1, (void *)9, &words[8], 1));
	result("compare and requeue",
	       futex(&words[0], FUTEX_CMP_REQUEUE, 1, (void *)2, &words[8], 0));
	result("wake on the second", futex(&words[8], FUTEX_WAKE, 9, NULL, NULL, 0));
	result("requeue", futex(&words[0], FUTEX_REQUEUE, 0, (void *)9, &words[8], 0));
	result("wake on the first", futex(&words[0], FUTEX_WAKE, 9, NULL, NULL, 0));
	result("wake on the second", futex(&words[8], FUTEX_WAKE, 9, NULL, NULL, 0));
	join(threads);
	start(threads);
	words[8] = 5;
	result("wake op", futex(&words[0], FUTEX_WAKE_OP, 9, (void *)9, &words[8],
				FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)));
	say("word is %d", words[8]);
	join(threads);
}

static void late(const char *name, int operation, clockid_t clock, bool absolute)
{
	int64_t begin = clock_ns(CLOCK_MONOTONIC), at = 30000000, took;

	if (absolute)
		at += clock_ns(clock);
	struct timespec time = {at / 1000000000, at % 1000000000};
	result(name, futex(&words[0], operation, 0, &time, NULL, -1));
	took = clock_ns(CLOCK_MONOTONIC) - begin;
	check("in time", took >= 29000000 && took < 5000000000);
}

static void timeouts(void)
{
	struct timespec bad = {0, 1000000000}, past = {1, 0};

	late("relative", FUTEX_WAIT, CLOCK_MONOTONIC, false);
	late("absolute", FUTEX_WAIT_BITSET, CLOCK_MONOTONIC, true);
	late("absolute, real", FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, CLOCK_REALTIME, true);
	result("past", futex(&words[0], FUTEX_WAIT_BITSET, 0, &past, NULL, -1));
	result("bad time", futex(&words[0], FUTEX_WAIT, 0, &bad, NULL, 0));
	result("no bits", futex(&words[0], FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
}

/* A word that others could have must be there; of a private one only its address counts. */
static void nowhere(void)
{
	volatile int *there = shared_memory(4096), *gone = shared_memory(4096);
	volatile int *closed = mmap(NULL, 4096, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile int *readable = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	munmap((void *)gone, 4096);
	result("wake, unmapped", futex(gone, FUTEX_WAKE, 1, NULL, NULL, 0));
	result("wake, PROT_NONE", futex(closed, FUTEX_WAKE, 1, NULL, NULL, 0));
	result("wake, read-only", futex(readable, FUTEX_WAKE, 1, NULL, NULL, 0));
	result("wake, misaligned", futex((int *)((char *)there + 1), FUTEX_WAKE, 1, NULL, NULL, 0));
	result("wait, unmapped", futex(gone, FUTEX_WAIT, 0, NULL, NULL, 0));
	result("requeue to unmapped", futex(there, FUTEX_CMP_REQUEUE, 1, (void *)1, gone, 0));
	result("requeue to PROT_NONE", futex(there, FUTEX_CMP_REQUEUE, 1, (void *)1, closed, 0));
	result("wake op, unmapped", futex(gone, FUTEX_WAKE_OP, 1, (void *)1, there, 0));
	flags = FUTEX_PRIVATE_FLAG;
	result("private wake, unmapped", futex(gone, FUTEX_WAKE, 1, NULL, NULL, 0));
}

int main(void)
{
	static int private_words[16];

	words = private_words;
	flags = FUTEX_PRIVATE_FLAG;
	wakes();
	timeouts();
	words = shared_memory(4096);
	flags = 0;
	wakes();
	timeouts();
	nowhere();
	return finish();
}
