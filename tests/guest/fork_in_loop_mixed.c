/* SPDX-License-Identifier: ISC */
/*
 * Forks between forks: ten children, each of which makes three of its own and waits for two only,
 * with pipes left open by some; statuses add up and the last end of the pipe closes at the end.
 * @test timeout=30 members=41
 */
#include "guest.h"

int main(void)
{
	int ends[2];
	int total = 0;

	if (pipe(ends) < 0)
		die("pipe");
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork_or_die();

		if (pid == 0) {
			int sum = 0;
			pid_t last = 0;

			close(ends[0]);
			for (int j = 0; j < 3; j++) {
				last = fork_or_die();
				if (last == 0) {
					write_all(ends[1], "x", 1);
					_exit(j + 1);
				}
				if (j < 2)
					sum += WEXITSTATUS(child_wait(last));
			}
			_exit(sum + i);
		}
		total += WEXITSTATUS(child_wait(pid));
	}
	say("sum of statuses: %d", total);
	close(ends[1]);
	char bytes[64];
	say("bytes until the end: %zu", read_all(ends[0], bytes, sizeof(bytes)));
	return finish();
}
