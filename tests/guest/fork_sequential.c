/* SPDX-License-Identifier: ISC */
/*
 * A thousand children one after another; pids stay unique among the living and nothing piles up.
 * @test timeout=120 members=1001 slow
 */
#include "guest.h"

static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

int main(void)
{
	int before = open_descriptors();
	int right = 0;

	for (int i = 0; i < 1000; i++) {
		pid_t pid = fork_or_die();

		if (pid == 0)
			_exit(i & 127);
		int status = child_wait(pid);
		right += WIFEXITED(status) && WEXITSTATUS(status) == (i & 127);
	}
	say("right statuses: %d", right);
	say("descriptors gained: %d", open_descriptors() - before);
	result("another wait", wait(NULL));
	return finish();
}
