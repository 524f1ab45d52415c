/* SPDX-License-Identifier: ISC */
/*
 * Threads are made, run with storage of their own, wait for each other and are joined: 100 one
 * after the other, then 1,000 that are all alive at once.
 * @test timeout=60 members=1 also=musl
 */
#include "guest.h"
#include <pthread.h>

#define MANY 1000

static __thread long local = 41;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* Two: all thousand are woken once, not each time that one of them arrives. */
static pthread_cond_t gone = PTHREAD_COND_INITIALIZER, came = PTHREAD_COND_INITIALIZER;
static long sum, arrived;
static bool go;

static void *one(void *argument)
{
	expect("fresh thread-local", local == 41);
	local += (long)argument;
	return (void *)local;
}

static void *meet(void *argument)
{
	local = (long)argument;
	pthread_mutex_lock(&mutex);
	arrived++;
	pthread_cond_signal(&came);
	while (!go)
		pthread_cond_wait(&gone, &mutex);
	sum += local;
	pthread_mutex_unlock(&mutex);
	return (void *)(local * 2);
}

static void all_at_once(void)
{
	static pthread_t threads[MANY];
	pthread_attr_t attributes;
	long results = 0;
	int made = 0;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 * KIB);
	for (; made < MANY; made++)
		if (pthread_create(&threads[made], &attributes, meet, (void *)(long)made))
			break;
	say("alive at once: %d", made);
	pthread_mutex_lock(&mutex);
	while (arrived < made)
		pthread_cond_wait(&came, &mutex);
	go = true;
	pthread_cond_broadcast(&gone);
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < made; i++) {
		void *value;

		if (pthread_join(threads[i], &value))
			die("pthread_join");
		results += (long)value;
	}
	say("sum: %ld, results: %ld", sum, results);
}

int main(void)
{
	long total = 0;

	for (long i = 0; i < 100; i++) {
		pthread_t thread;
		void *value;

		if (pthread_create(&thread, NULL, one, (void *)i))
			die("pthread_create");
		if (pthread_join(thread, &value))
			die("pthread_join");
		total += (long)value;
	}
	say("one after the other: %ld", total);
	check("own thread-local untouched", local == 41);
	all_at_once();
	return finish();
}
