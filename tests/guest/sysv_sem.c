/* SPDX-License-Identifier: ISC */
/*
 * System V semaphores between processes: waiting, several at once, undo at exit and when killed,
 * time-outs, removal under a sleeper, counts of sleepers, errors.
 * @test timeout=30 members=6
 */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/sem.h>

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
};

static int op(int id, int num, int value, int flags)
{
	struct sembuf b = {(unsigned short)num, (short)value, (short)flags};

	return semop(id, &b, 1);
}

static int value(int id, int num)
{
	return semctl(id, num, GETVAL);
}

static void wait_for_sleeper(int id, int cmd)
{
	for (int i = 0; i < 500 && semctl(id, 0, cmd) == 0; i++)
		pause_ms(10);
}

int main(void)
{
	int id = semget(IPC_PRIVATE, 3, 0600);
	unsigned short all[3] = {0, 5, 0};
	struct semid_ds ds;
	struct timespec soon = {0, 30000000};
	struct sembuf two[2] = {{0, -1, 0}, {1, -2, 0}};

	okay("semget", id);
	okay("SETALL", semctl(id, 0, SETALL, (union semun){.array = all}));
	result("GETVAL", value(id, 1));
	result("nowait", op(id, 0, -1, IPC_NOWAIT));
	result("time-out", semtimedop(id, two, 2, &soon));
	result("untouched", value(id, 1));
	pid_t pid = fork_or_die();
	if (pid == 0)
		_exit(semop(id, two, 2) == 0 ? 7 : 1);
	wait_for_sleeper(id, GETNCNT);
	result("sleepers", semctl(id, 0, GETNCNT));
	op(id, 0, 1, 0);
	child_report("both at once", pid);
	say("values: %d %d", value(id, 0), value(id, 1));

	pid = fork_or_die();
	if (pid == 0) {
		op(id, 2, 3, SEM_UNDO);
		op(id, 1, -1, SEM_UNDO);
		_exit(0);
	}
	child_report("with undo", pid);
	say("undone: %d %d", value(id, 1), value(id, 2));
	pid = fork_or_die();
	if (pid == 0) {
		op(id, 1, -2, SEM_UNDO);
		op(id, 0, 1, 0);
		pause();
	}
	op(id, 0, -1, 0);
	say("taken: %d", value(id, 1));
	kill(pid, SIGKILL);
	child_report("killed", pid);
	say("given back: %d", value(id, 1));

	op(id, 0, 1, 0);
	pid = fork_or_die();
	if (pid == 0)
		_exit(op(id, 0, 0, 0) == 0 ? 3 : 1);
	wait_for_sleeper(id, GETZCNT);
	op(id, 0, -1, 0);
	child_report("waited for zero", pid);
	pid = fork_or_die();
	if (pid == 0)
		_exit(op(id, 0, -1, 0) == -1 && errno == EIDRM ? 4 : 1);
	wait_for_sleeper(id, GETNCNT);
	okay("IPC_STAT", semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}));
	say("%d semaphores, mode %o", (int)ds.sem_nsems, ds.sem_perm.mode);
	result("SETVAL range", semctl(id, 0, SETVAL, (union semun){.val = 40000}));
	check("number", op(id, 3, 1, 0) == -1 && errno == EFBIG);
	okay("IPC_RMID", semctl(id, 0, IPC_RMID));
	child_report("removed under it", pid);
	result("gone", value(id, 0));
	key_t key = ftok("/", 'm');
	int first = semget(key, 1, IPC_CREAT | IPC_EXCL | 0600);
	okay("by key", first);
	result("exclusive", semget(key, 1, IPC_CREAT | IPC_EXCL | 0600));
	check("found", semget(key, 1, 0) == first);
	result("too many", semget(key, 2, 0));
	semctl(first, 0, IPC_RMID);
	result("no such key", semget(key, 1, 0));
	return finish();
}
