/* SPDX-License-Identifier: ISC */
/*
 * Process-shared barriers and semaphores: six members pass a barrier twenty times, two exchange by
 * semaphores.
 * @test timeout=60 members=8
 */
#include "guest.h"
#include <pthread.h>
#include <semaphore.h>

#define MEMBERS 6

struct board {
	pthread_barrier_t barrier;
	int arrived[20];
	int wrong;
	sem_t empty, full;
	int slot;
};

int main(void)
{
	struct board *board = shared_memory(sizeof(*board));
	pthread_barrierattr_t attributes;
	pid_t pids[MEMBERS];

	pthread_barrierattr_init(&attributes);
	pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&board->barrier, &attributes, MEMBERS);
	for (int i = 0; i < MEMBERS; i++) {
		pids[i] = fork_or_die();
		if (pids[i] == 0) {
			int serial = 0;

			for (int round = 0; round < 20; round++) {
				__atomic_fetch_add(&board->arrived[round], 1, __ATOMIC_SEQ_CST);
				int rc = pthread_barrier_wait(&board->barrier);
				serial += rc == PTHREAD_BARRIER_SERIAL_THREAD;
				if (board->arrived[round] != MEMBERS)
					__atomic_fetch_add(&board->wrong, 1, __ATOMIC_SEQ_CST);
			}
			_exit(serial);
		}
	}
	int serials = 0;
	for (int i = 0; i < MEMBERS; i++)
		serials += WEXITSTATUS(child_wait(pids[i]));
	say("serial threads: %d, wrong: %d", serials, board->wrong);

	result("sem_init", sem_init(&board->empty, 1, 1));
	sem_init(&board->full, 1, 0);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		for (int i = 1; i <= 200; i++) {
			sem_wait(&board->empty);
			board->slot = i;
			sem_post(&board->full);
		}
		_exit(0);
	}
	long sum = 0;
	for (int i = 1; i <= 200; i++) {
		sem_wait(&board->full);
		sum += board->slot;
		sem_post(&board->empty);
	}
	say("sum: %ld", sum);
	child_report("producer", pid);
	result("sem_trywait", sem_trywait(&board->full));
	struct timespec past = {1, 0};
	result("sem_timedwait", sem_timedwait(&board->full, &past));
	return finish();
}
