/* SPDX-License-Identifier: ISC */
/*
 * Three hundred children, then an idle second: for the harness, which looks at the family's memory,
 * descriptors and host processes while this program waits at the end.
 * @test timeout=60 members=301 slow
 */
#include "guest.h"

int main(void)
{
	int right = 0;

	for (int i = 0; i < 300; i++) {
		pid_t pid = fork_or_die();

		if (pid == 0) {
			memset(private_memory(256 * KIB), 1, 256 * KIB);
			_exit(3);
		}
		right += WEXITSTATUS(child_wait(pid)) == 3;
	}
	say("right statuses: %d", right);
	pause_ms(1000);
	return finish();
}
