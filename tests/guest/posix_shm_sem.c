/* SPDX-License-Identifier: ISC */
/*
 * POSIX shared memory and named semaphores, which glibc builds from files in /dev/shm, mmap and
 * futex.
 * @test timeout=20 members=4
 */
#include "guest.h"
#include <semaphore.h>

int main(void)
{
	shm_unlink("/guest_shm");
	sem_unlink("/guest_sem");
	int fd = shm_open("/guest_shm", O_RDWR | O_CREAT | O_EXCL, 0600);
	okay("shm_open", fd);
	okay("ftruncate", ftruncate(fd, 8192));
	volatile int *count = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	sem_t *lock = sem_open("/guest_sem", O_CREAT | O_EXCL, 0600, 1);
	check("sem_open", lock != SEM_FAILED);
	result("exists", shm_open("/guest_shm", O_RDWR | O_CREAT | O_EXCL, 0600));
	pid_t pids[2];
	for (int i = 0; i < 2; i++) {
		pids[i] = fork_or_die();
		if (pids[i])
			continue;
		sem_t *own = sem_open("/guest_sem", 0);
		int other = shm_open("/guest_shm", O_RDWR, 0);
		volatile int *mine = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
		for (int k = 0; k < 500; k++) {
			sem_wait(own);
			int was = *mine;
			sched_yield();
			*mine = was + 1;
			sem_post(own);
		}
		_exit(0);
	}
	for (int i = 0; i < 2; i++)
		child_report("child", pids[i]);
	say("counted: %d", *count);
	struct timespec past = {1, 0};
	sem_wait(lock);
	result("time-out", sem_timedwait(lock, &past));
	result("trywait", sem_trywait(lock));
	okay("unlink", shm_unlink("/guest_shm"));
	okay("unlink", sem_unlink("/guest_sem"));
	result("gone", shm_open("/guest_shm", O_RDWR, 0));
	return finish();
}
