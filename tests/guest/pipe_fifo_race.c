/* SPDX-License-Identifier: ISC */
/*
 * Opening both ends of a named pipe at the same time, many times: a writer that has written and
 * closed again before the reader's open has returned must not leave the reader waiting.
 * @test timeout=30 members=2
 */
#include "guest.h"

#define ROUNDS 2000

int main(void)
{
	char text[8], go = 0;
	int good = 0, rounds[2];

	work_dir();
	result("mkfifo", mkfifo("fifo", 0600));
	result("pipe", pipe(rounds));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		close(rounds[1]);
		while (read(rounds[0], &go, 1) == 1) {
			int fd = open("fifo", O_WRONLY);

			write_all(fd, "x", 1);
			close(fd);
		}
		_exit(0);
	}
	for (int i = 0; i < ROUNDS; i++) {
		write_all(rounds[1], &go, 1);
		int fd = open("fifo", O_RDONLY);
		good += read_all(fd, text, sizeof(text));
		close(fd);
	}
	close(rounds[1]);
	child_report("writer", pid);
	say("bytes: %d", good);
	result("unlink", unlink("fifo"));
	return finish();
}
