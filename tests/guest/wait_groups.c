/* SPDX-License-Identifier: ISC */
/*
 * waitpid by process group: 0, -PGID and -1 choose the right children.
 * @test timeout=30 members=5
 */
#include "guest.h"

int main(void)
{
	struct gate go;
	int status;
	pid_t own, leader, second;

	gate_make(&go);
	own = fork_or_die();
	if (own == 0) {
		gate_wait(&go);
		_exit(1);
	}
	leader = fork_or_die();
	if (leader == 0) {
		gate_wait(&go);
		_exit(2);
	}
	result("setpgid", setpgid(leader, 0));
	second = fork_or_die();
	if (second == 0) {
		gate_wait(&go);
		_exit(3);
	}
	result("setpgid", setpgid(second, leader));
	check("getpgid", getpgid(second) == leader);
	result("nobody yet", waitpid(-leader, &status, WNOHANG));
	for (int i = 0; i < 3; i++)
		gate_open(&go);
	int sum = 0;
	for (int i = 0; i < 2; i++) {
		pid_t got = waitpid(-leader, &status, 0);

		check("of the group", got == leader || got == second);
		sum += WEXITSTATUS(status);
	}
	say("sum: %d", sum);
	result("group is empty", waitpid(-leader, &status, 0));
	check("group 0", waitpid(0, &status, 0) == own);
	say("status: %s", status_text(status));
	result("waitid P_PGID", waitid(P_PGID, (id_t)leader, &(siginfo_t){0}, WEXITED));
	return finish();
}
