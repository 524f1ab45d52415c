/* SPDX-License-Identifier: ISC */
/*
 * System V shared memory: shared with children and by id, attach counts, read-only, removal while
 * attached, detaching at exit and when killed.
 * @test timeout=20 members=4
 */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/shm.h>

static int attached(int id)
{
	struct shmid_ds ds;

	return shmctl(id, IPC_STAT, &ds) < 0 ? -errno : (int)ds.shm_nattch;
}

int main(void)
{
	int id = shmget(IPC_PRIVATE, 10000, 0600);
	struct gate ready;
	struct shmid_ds ds;

	gate_make(&ready);
	okay("shmget", id);
	int *a = shmat(id, NULL, 0);
	check("shmat", a != (void *)-1);
	result("zero", a[2000]);
	a[0] = 41;
	say("attached: %d", attached(id));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		int *own = shmat(id, NULL, 0);
		own[1] = ++a[0];
		gate_open(&ready);
		pause();
	}
	gate_wait(&ready);
	say("the child wrote %d %d", a[0], a[1]);
	say("attached: %d", attached(id));
	kill(pid, SIGKILL);
	child_report("killed", pid);
	say("attached: %d", attached(id));
	const int *r = shmat(id, NULL, SHM_RDONLY);
	say("read-only: %d", r[0]);
	pid = fork_or_die();
	if (pid == 0) {
		*(volatile int *)(uintptr_t)r = 1;
		_exit(0);
	}
	child_report("writes to it", pid);
	okay("shmdt", shmdt(r));
	okay("IPC_STAT", shmctl(id, IPC_STAT, &ds));
	say("%d bytes, mode %o, created by us: %d", (int)ds.shm_segsz, ds.shm_perm.mode,
		ds.shm_cpid == getpid());
	okay("IPC_RMID", shmctl(id, IPC_RMID, NULL));
	a[5] = 5;
	say("still there: %d %d", a[0], a[5]);
	pid = fork_or_die();
	if (pid == 0) {
		int *again = shmat(id, NULL, 0);
		_exit(again != (void *)-1 && again[5] == 5 ? 0 : 1);
	}
	child_report("attached a removed segment", pid);
	okay("shmdt", shmdt(a));
	say("gone: %d", attached(id) == -EINVAL || attached(id) == -EIDRM);
	result("shmdt twice", shmdt(a));
	check("size", shmget(IPC_PRIVATE, 0, 0600) == -1 && errno == EINVAL);
	int k = shmget(0x4d495430, 4096, IPC_CREAT | IPC_EXCL | 0600);
	okay("by key", k);
	result("larger than it is", shmget(0x4d495430, 8192, 0));
	void *fixed = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	result("taken address", (long)shmat(k, fixed, 0));
	munmap(fixed, 1 << 20);
	check("fixed address", shmat(k, fixed, 0) == fixed);
	shmctl(k, IPC_RMID, NULL);
	return finish();
}
