/* SPDX-License-Identifier: ISC */
/*
 * For the statistics: fork, exit and wait a hundred times.
 * @test timeout=60 members=101
 */
#include "guest.h"

int main(void)
{
	int right = 0;

	for (int i = 0; i < 100; i++) {
		pid_t pid = fork_or_die();

		if (pid == 0)
			_exit(7);
		right += WEXITSTATUS(child_wait(pid)) == 7;
	}
	say("right: %d", right);
	return finish();
}
