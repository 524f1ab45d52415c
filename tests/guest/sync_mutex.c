/* SPDX-License-Identifier: ISC */
/*
 * Process-shared pthread mutexes and condition variables between four members; a robust mutex
 * whose owner dies gives EOWNERDEAD and can be made consistent.
 * @test timeout=60 members=7 svm also=musl
 */
#include "guest.h"
#include <pthread.h>

struct board {
	pthread_mutex_t mutex, robust;
	pthread_cond_t turn;
	long counter;
	int whose;
	int turns[4];
};

int main(void)
{
	struct board *board = shared_memory(sizeof(*board));
	pthread_mutexattr_t attributes;
	pthread_condattr_t condition;
	pid_t pids[4];

	pthread_mutexattr_init(&attributes);
	result("pshared", pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED));
	pthread_mutex_init(&board->mutex, &attributes);
	result("robust", pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST));
	pthread_mutex_init(&board->robust, &attributes);
	pthread_condattr_init(&condition);
	pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&board->turn, &condition);
	for (int i = 0; i < 4; i++) {
		pids[i] = fork_or_die();
		if (pids[i] == 0) {
			for (int j = 0; j < 2000; j++) {
				pthread_mutex_lock(&board->mutex);
				board->counter++;
				pthread_mutex_unlock(&board->mutex);
			}
			for (int j = 0; j < 25; j++) {
				pthread_mutex_lock(&board->mutex);
				while (board->whose != i)
					pthread_cond_wait(&board->turn, &board->mutex);
				board->turns[i]++;
				board->whose = (i + 1) % 4;
				pthread_cond_broadcast(&board->turn);
				pthread_mutex_unlock(&board->mutex);
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		child_report("member", pids[i]);
	say("counter: %ld, turns: %d %d %d %d", board->counter, board->turns[0], board->turns[1],
		board->turns[2], board->turns[3]);

	pid_t pid = fork_or_die();
	if (pid == 0) {
		pthread_mutex_lock(&board->robust);
		raise(SIGKILL);
	}
	child_report("owner", pid);
	say("lock: %s", errno_name(pthread_mutex_lock(&board->robust)));
	result("consistent", pthread_mutex_consistent(&board->robust));
	result("unlock", pthread_mutex_unlock(&board->robust));
	result("lock", pthread_mutex_lock(&board->robust));
	result("unlock", pthread_mutex_unlock(&board->robust));
	struct timespec soon;
	pthread_mutex_lock(&board->mutex);
	pid = fork_or_die();
	if (pid == 0) {
		clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_nsec += 20000000;
		if (soon.tv_nsec >= 1000000000) {
			soon.tv_nsec -= 1000000000;
			soon.tv_sec++;
		}
		_exit(pthread_mutex_timedlock(&board->mutex, &soon) == ETIMEDOUT ? 0 : 1);
	}
	child_report("timed lock", pid);
	return finish();
}
