/* SPDX-License-Identifier: ISC */
/*
 * A thread that computes does not starve the others: sleepers wake in time, a second computing
 * thread advances, and one that is blocked in read gets its data from another process.
 * @test timeout=30 members=2
 */
#include "guest.h"
#include <pthread.h>

static volatile int stop;
static volatile long turns[3];

static void *spin(void *argument)
{
	long index = (long)argument;

	while (!stop)
		turns[index]++;
	return NULL;
}

static void *read_one(void *argument)
{
	char byte = 0;
	ssize_t got = read(*(int *)argument, &byte, 1);

	return (void *)(long)(got == 1 ? byte : -1);
}

static void starve(void)
{
	int64_t begin = clock_ns(CLOCK_MONOTONIC), longest = 0;

	for (int i = 0; i < 20; i++) {
		int64_t before = clock_ns(CLOCK_MONOTONIC);

		pause_ms(5);
		longest = clock_ns(CLOCK_MONOTONIC) - before > longest ?
			clock_ns(CLOCK_MONOTONIC) - before : longest;
	}
	check("twenty naps of 5 ms end within 2 s",
	      clock_ns(CLOCK_MONOTONIC) - begin < 2000000000);
	check("none takes a second", longest < 1000000000);
	check("both computing threads advance", turns[0] > 0 && turns[1] > 0);
}

static void blocked_in(int from, int to, const char *name)
{
	pthread_t reader;
	pid_t child;
	void *value;

	pthread_create(&reader, NULL, read_one, &from);
	pause_ms(10);
	child = fork_or_die();
	if (child == 0) {
		pause_ms(20);
		_exit(write(to, "x", 1) == 1 ? 0 : 1);
	}
	pthread_join(reader, &value);
	say("%s: %ld", name, (long)value);
	child_report(name, child);
	pthread_create(&reader, NULL, read_one, &from);
	pause_ms(10);
	if (write(to, "y", 1) != 1)
		die("write");
	pthread_join(reader, &value);
	say("%s, same process: %ld", name, (long)value);
}

static void *spin_and_see(void *argument)
{
	int64_t begin = clock_ns(CLOCK_MONOTONIC);

	/* No system call in here: only preemption lets the main thread store. */
	while (!stop && clock_ns(CLOCK_MONOTONIC) - begin < 10000000000)
		;
	return (void *)(long)stop;
}

int main(void)
{
	pthread_t threads[2], watcher;
	int fds[2];
	void *value;

	pthread_create(&watcher, NULL, spin_and_see, NULL);
	sched_yield();
	stop = 1;
	pthread_join(watcher, &value);
	say("spinner saw the store: %ld", (long)value);
	stop = 0;
	for (long i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, spin, (void *)i);
	starve();
	if (pipe(fds))
		die("pipe");
	blocked_in(fds[0], fds[1], "pipe");
	stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return finish();
}
