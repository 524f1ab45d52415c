/* SPDX-License-Identifier: ISC */
/*
 * Mutexes of every kind, condition variables with time-outs, read-write locks, barriers and
 * semaphores between threads; robust mutexes whose owner ends; priority inheritance.
 * @test timeout=30 members=1
 */
#include "guest.h"
#include <pthread.h>
#include <semaphore.h>

#define THREADS 8
#define ROUNDS 2000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t items;
static long counter, taken, serial, written;

static void *count(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		long old = counter;
		if (i % 100 == 0)
			sched_yield();
		counter = old + 1;
		pthread_mutex_unlock(&mutex);
		if (i % 8 == 0)
			pthread_rwlock_wrlock(&rwlock), written++;
		else
			pthread_rwlock_rdlock(&rwlock);
		pthread_rwlock_unlock(&rwlock);
	}
	if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
		__atomic_fetch_add(&serial, 1, __ATOMIC_SEQ_CST);
	return unused;
}

static void *consume(void *unused)
{
	while (sem_wait(&items) == 0 && __atomic_fetch_add(&taken, 1, __ATOMIC_SEQ_CST) < 100)
		;
	return unused;
}

static void *die_holding(void *argument)
{
	pthread_mutex_lock(argument);
	return NULL;
}

static struct timespec after_ms(clockid_t clock, long ms)
{
	int64_t ns = clock_ns(clock) + ms * 1000000;

	return (struct timespec){ns / 1000000000, ns % 1000000000};
}

static void robust(int protocol, const char *name)
{
	pthread_mutexattr_t attributes;
	pthread_mutex_t held;
	pthread_t thread;
	struct timespec limit;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&attributes, protocol);
	errno = pthread_mutex_init(&held, &attributes);
	say("%s: init: %s", name, errno ? errno_name(errno) : "ok");
	if (errno)
		return;
	pthread_create(&thread, NULL, die_holding, &held);
	limit = after_ms(CLOCK_REALTIME, 5000);
	pthread_join(thread, NULL);
	errno = pthread_mutex_timedlock(&held, &limit);
	say("%s: owner died: %s", name, errno_name(errno));
	say("%s: consistent: %d", name, pthread_mutex_consistent(&held));
	say("%s: unlock: %d", name, pthread_mutex_unlock(&held));
	pthread_create(&thread, NULL, die_holding, &held);
	pthread_join(thread, NULL);
	errno = pthread_mutex_lock(&held);
	say("%s: owner died again: %s", name, errno_name(errno));
	pthread_mutex_unlock(&held);
	errno = pthread_mutex_lock(&held);
	say("%s: not made consistent: %s", name, errno_name(errno));
}

static void *hold_shortly(void *argument)
{
	pthread_mutex_lock(argument);
	sem_post(&items);
	pause_ms(100);
	counter++;
	pthread_mutex_unlock(argument);
	return NULL;
}

static void inherit(void)
{
	pthread_mutexattr_t attributes;
	pthread_mutex_t held;
	pthread_t thread;
	struct timespec limit;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	errno = pthread_mutex_init(&held, &attributes);
	say("inherit: init: %s", errno ? errno_name(errno) : "ok");
	if (errno)
		return;
	counter = 0;
	sem_init(&items, 0, 0);
	pthread_create(&thread, NULL, hold_shortly, &held);
	sem_wait(&items);
	say("inherit: try: %s", errno_name(pthread_mutex_trylock(&held)));
	limit = after_ms(CLOCK_REALTIME, 10);
	say("inherit: timed: %s", errno_name(pthread_mutex_timedlock(&held, &limit)));
	result("inherit: lock", pthread_mutex_lock(&held));
	say("inherit: the holder counted %ld", counter);
	say("inherit: again: %s", errno_name(pthread_mutex_lock(&held)));
	say("inherit: unlock: %d", pthread_mutex_unlock(&held));
	say("inherit: not held: %s", errno_name(pthread_mutex_unlock(&held)));
	pthread_join(thread, NULL);
}

static void timeouts(void)
{
	struct timespec limit = after_ms(CLOCK_REALTIME, 30);
	int64_t begin = clock_ns(CLOCK_MONOTONIC);

	pthread_mutex_lock(&mutex);
	say("condition: %s", errno_name(pthread_cond_timedwait(&condition, &mutex, &limit)));
	pthread_mutex_unlock(&mutex);
	limit = after_ms(CLOCK_MONOTONIC, 30);
	pthread_mutex_lock(&mutex);
	say("condition, monotonic: %s", errno_name(pthread_cond_clockwait(&condition, &mutex,
									  CLOCK_MONOTONIC, &limit)));
	pthread_mutex_unlock(&mutex);
	check("took its time", clock_ns(CLOCK_MONOTONIC) - begin >= 58000000);
	limit = after_ms(CLOCK_REALTIME, -1000);
	sem_init(&items, 0, 0);
	result("semaphore in the past", sem_timedwait(&items, &limit));
}

int main(void)
{
	pthread_t threads[THREADS];

	pthread_barrier_init(&barrier, NULL, THREADS);
	sem_init(&items, 0, 0);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, count, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	say("counted %ld, written %ld, serial threads %ld", counter, written, serial);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, consume, NULL);
	for (int i = 0; i < 100 + THREADS; i++)
		sem_post(&items);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	say("taken %ld", taken);
	timeouts();
	robust(PTHREAD_PRIO_NONE, "robust");
	robust(PTHREAD_PRIO_INHERIT, "robust, inherit");
	inherit();
	return finish();
}
