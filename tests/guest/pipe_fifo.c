/* SPDX-License-Identifier: ISC */
/*
 * Named pipes: opening waits for the other end, ENXIO without blocking, content passes between
 * members.
 * @test timeout=20 members=2
 */
#include "guest.h"

int main(void)
{
	char text[32] = "";

	work_dir();
	result("mkfifo", mkfifo("fifo", 0640));
	struct stat info;
	stat("fifo", &info);
	say("mode: %o", info.st_mode);
	result("write end without a reader", open("fifo", O_WRONLY | O_NONBLOCK));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		int fd = open("fifo", O_WRONLY);

		write_all(fd, "through a fifo", 14);
		_exit(0);
	}
	int fd = open("fifo", O_RDONLY);
	okay("open for reading", fd);
	say("read: %zu %s", read_all(fd, text, sizeof(text)), text);
	child_report("writer", pid);
	result("mkfifo again", mkfifo("fifo", 0640));
	result("unlink", unlink("fifo"));
	return finish();
}
