/* SPDX-License-Identifier: ISC */
/*
 * Waits of a thread that is not the first one, each interrupted by a handler: what Linux ends with
 * EINTR ends so, with a time-out and without, also for semaphores; sleeps say so, too.
 * @test timeout=30 members=1 also=musl svm
 */
#include "guest.h"
#include <pthread.h>
#include <semaphore.h>

#define FUTEX_WAIT 0

enum { WAITS = 5 };
static int word;
static volatile pid_t waiter;
static volatile int at;

static void handler(int sig)
{
	(void)sig;
}

static long futex_wait(struct timespec *timeout)
{
	return syscall(SYS_futex, &word, FUTEX_WAIT, 0, timeout, 0, 0);
}

static void *wait_in_turn(void *unused)
{
	struct timespec long_time = {20, 0}, end;
	sem_t semaphore;

	(void)unused;
	sem_init(&semaphore, 0, 0);
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 20;
	waiter = (pid_t)syscall(SYS_gettid);
	result("futex with a time-out", futex_wait(&long_time));
	at = 1;
	result("futex without", futex_wait(NULL));
	at = 2;
	result("sem_timedwait", sem_timedwait(&semaphore, &end));
	at = 3;
	result("sem_wait", sem_wait(&semaphore));
	at = 4;
	result("nanosleep", nanosleep(&long_time, NULL));
	at = 5;
	return NULL;
}

int main(void)
{
	struct sigaction sa = {.sa_handler = handler};
	pthread_t thread;

	sigaction(SIGUSR1, &sa, NULL);
	pthread_create(&thread, NULL, wait_in_turn, NULL);
	while (!waiter)
		pause_ms(1);
	/* Again until it has gone on: the signal may come before it waits. */
	for (int i = 0; i < WAITS; i++)
		while (at == i) {
			pause_ms(20);
			if (at == i)
				syscall(SYS_tgkill, getpid(), waiter, SIGUSR1);
		}
	pthread_join(thread, NULL);
	return finish();
}
