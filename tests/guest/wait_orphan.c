/* SPDX-License-Identifier: ISC */
/*
 * An orphan gets another parent, and that one's wait is not disturbed; its grandparent does not
 * see it.
 * @test timeout=30 members=3
 */
#include "guest.h"

int main(void)
{
	struct gate told;
	int *seen = shared_memory(4096);
	int status;

	gate_make(&told);
	pid_t grandparent = getpid();
	pid_t pid = fork_or_die();
	if (pid == 0) {
		pid_t parent = getpid();

		if (fork_or_die() == 0) {
			bool adopted = false;

			for (int i = 0; i < 5000 && !adopted; i++) {
				adopted = getppid() != parent;
				if (!adopted)
					pause_ms(1);
			}
			seen[0] = adopted;
			seen[1] = getpid() != parent && getpid() != grandparent;
			gate_open(&told);
			_exit(7);
		}
		_exit(3);
	}
	child_report("parent of the orphan", pid);
	gate_wait(&told);
	check("the orphan has another parent", seen[0]);
	check("own pid kept", seen[1]);
	say("no child of that pid: %d", waitpid(pid, &status, WNOHANG) == -1);
	return finish();
}
