/* SPDX-License-Identifier: ISC */
/*
 * futex_waitv: one wait for several words, private and shared between processes; what it refuses;
 * time-outs and signals. FUTEX_WAIT_REQUEUE_PI: who is woken from a condition has its lock.
 * @test timeout=30 members=21
 */
#include "guest.h"

#include <linux/futex.h>
#include <pthread.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

static uint32_t private_word[3];
static uint32_t *shared_word;
static int *done;

static struct futex_waitv one(uint32_t *word, uint32_t value, uint32_t flags)
{
	return (struct futex_waitv){.val = value, .uaddr = (uintptr_t)word, .flags = flags};
}

static long waitv(struct futex_waitv *v, unsigned n, unsigned flags, struct timespec *t, int clock)
{
	return syscall(SYS_futex_waitv, v, n, flags, t, clock);
}

static long futex(uint32_t *word, int op, uint32_t value, unsigned long timeout, uint32_t *word2,
				  uint32_t value3)
{
	return syscall(SYS_futex, word, op, value, timeout, word2, value3);
}

static struct timespec in_ms(int clock, long ms)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static void refused(void)
{
	struct futex_waitv v[129];
	struct timespec t = in_ms(CLOCK_MONOTONIC, 5), bad = {1, -1};

	for (int i = 0; i < 129; i++)
		v[i] = one(&private_word[i % 3], 0, FUTEX_32 | FUTEX_PRIVATE_FLAG);
	result("no words", waitv(v, 0, 0, NULL, 0));
	result("too many", waitv(v, 129, 0, NULL, 0));
	result("flags", waitv(v, 1, 1, NULL, 0));
	result("nowhere", waitv(NULL, 1, 0, NULL, 0));
	result("a bad address", waitv((void *)16, 1, 0, NULL, 0));
	result("a bad clock", waitv(v, 1, 0, &t, CLOCK_PROCESS_CPUTIME_ID));
	result("a bad time", waitv(v, 1, 0, &bad, CLOCK_MONOTONIC));
	v[1].flags = FUTEX_PRIVATE_FLAG;
	result("a word without a size", waitv(v, 2, 0, &t, CLOCK_MONOTONIC));
	v[1] = one((void *)16, 0, FUTEX_32);
	result("a word that is not there", waitv(v, 2, 0, &t, CLOCK_MONOTONIC));
	v[1] = one((uint32_t *)((char *)private_word + 1), 0, FUTEX_32);
	result("an odd one", waitv(v, 2, 0, &t, CLOCK_MONOTONIC));
	v[1] = one(&private_word[1], 7, FUTEX_32 | FUTEX_PRIVATE_FLAG);
	result("another value", waitv(v, 2, 0, &t, CLOCK_MONOTONIC));
	v[1].val = 0;
	result("128 of them", waitv(v, 128, 0, &t, CLOCK_MONOTONIC));
	t = in_ms(CLOCK_REALTIME, 5);
	result("by the other clock", waitv(v, 3, 0, &t, CLOCK_REALTIME));
}

static void *waker(void *arg)
{
	uint32_t *word = arg;
	int op = FUTEX_WAKE | (word == shared_word ? 0 : FUTEX_PRIVATE_FLAG);

	while (!__atomic_load_n(done, __ATOMIC_SEQ_CST) &&
		   futex(word, op, 1, 0, NULL, 0) != 1)
		usleep(100);
	return NULL;
}

static void mixed(struct futex_waitv v[3])
{
	v[0] = one(&private_word[0], 0, FUTEX_32 | FUTEX_PRIVATE_FLAG);
	v[1] = one(shared_word, 0, FUTEX_32);
	v[2] = one(&private_word[2], 0, FUTEX_32 | FUTEX_PRIVATE_FLAG);
}

static void threads(void)
{
	struct futex_waitv v[3];
	uint32_t *words[] = {&private_word[0], shared_word, &private_word[2]};
	pthread_t t;

	for (int i = 0; i < 3; i++) {
		mixed(v);
		pthread_create(&t, NULL, waker, words[i]);
		result("woken", waitv(v, 3, 0, NULL, 0));
		pthread_join(t, NULL);
	}
	result("nobody is left", futex(shared_word, FUTEX_WAKE, 100, 0, NULL, 0));
}

static int wakes(void *arg)
{
	waker(arg);
	return 0;
}

static void processes(void)
{
	struct futex_waitv v[3];

	for (int i = 0; i < 20; i++) {
		pid_t pid = child_start(wakes, shared_word);

		mixed(v);
		expect("woken by a process", waitv(v, 3, 0, NULL, 0) == 1);
		expect("it ends", child_wait(pid) == 0);
	}
}

static void handler(int sig)
{
	(void)sig;
}

static void interrupted(int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
	struct futex_waitv v[3];
	struct timespec t = in_ms(CLOCK_MONOTONIC, 60);
	struct itimerval timer = {.it_value.tv_usec = 10000};

	sigaction(SIGALRM, &action, NULL);
	mixed(v);
	setitimer(ITIMER_REAL, &timer, NULL);
	result("with a signal", waitv(v, 3, 0, &t, CLOCK_MONOTONIC));
}

/* ---- a condition with a lock that inherits priority */

static uint32_t condition, lock;
static int inside, most, waiting;

static void lock_pi(void)
{
	uint32_t none = 0;

	if (!__atomic_compare_exchange_n(&lock, &none, (uint32_t)syscall(SYS_gettid), 0,
									 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		expect("LOCK_PI", !futex(&lock, FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0, 0, NULL, 0));
}

static void unlock_pi(void)
{
	uint32_t own = (uint32_t)syscall(SYS_gettid);

	if (!__atomic_compare_exchange_n(&lock, &own, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		expect("UNLOCK_PI", !futex(&lock, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, 0, NULL, 0));
}

static void *waits(void *arg)
{
	lock_pi();
	waiting++;
	unlock_pi();
	long r = futex(&condition, FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 0, 0, &lock, 0);
	expect("WAIT_REQUEUE_PI", r == 0);
	expect("its lock", (lock & FUTEX_TID_MASK) == (uint32_t)syscall(SYS_gettid));
	inside++;
	most = inside > most ? inside : most;
	usleep(1000);
	inside--;
	unlock_pi();
	return arg;
}

static void requeue_pi(void)
{
	pthread_t t[4];
	struct timespec soon = in_ms(CLOCK_MONOTONIC, 5);
	int moved = 0;

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, waits, NULL);
	while (__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) < 4)
		usleep(1000);
	result("two to wake", futex(&condition, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 2, 10, &lock,
								0));
	result("another value", futex(&condition, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 1, 10,
								  &lock, 5));
	while (moved < 4) {
		lock_pi();
		long n = futex(&condition, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 1, 10, &lock, 0);
		unlock_pi();
		if (n > 0)
			moved += (int)n;
		else
			usleep(1000);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	say("moved: %d, at once inside: %d, lock %u", moved, most, lock);
	result("time-out", futex(&condition, FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 0,
							 (unsigned long)&soon, &lock, 0));
	result("the same word", futex(&condition, FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 0, 0,
								  &condition, 0));
}

int main(void)
{
	shared_word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	done = (int *)(shared_word + 8);
	refused();
	threads();
	processes();
	interrupted(0);
	interrupted(SA_RESTART);
	requeue_pi();
	return finish();
}
