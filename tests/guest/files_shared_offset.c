/* SPDX-License-Identifier: ISC */
/*
 * A file offset is shared across fork and dup, not across open; status flags are shared,
 * FD_CLOEXEC is not; O_APPEND from four members loses nothing.
 * @test timeout=60 members=8
 */
#include "guest.h"

#define WRITERS 4
#define LINES 100

int main(void)
{
	char text[32];
	pid_t pids[WRITERS];

	work_dir();
	file_write("letters", "abcdefghijklmnopqrstuvwxyz");
	int fd = open("letters", O_RDWR), other = open("letters", O_RDONLY);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		read_all(fd, text, 5);
		fcntl(fd, F_SETFL, O_APPEND);
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		_exit(text[0] == 'a' ? 0 : 1);
	}
	child_report("child", pid);
	result("offset here", lseek(fd, 0, SEEK_CUR));
	result("other opening", lseek(other, 0, SEEK_CUR));
	say("O_APPEND: %d FD_CLOEXEC: %d", (fcntl(fd, F_GETFL) & O_APPEND) != 0, fcntl(fd, F_GETFD));
	int copy = dup(fd);
	read_all(copy, text, 3);
	say("by dup: %.3s, offset %ld", text, (long)lseek(fd, 0, SEEK_CUR));
	say("dup2 of itself: %d", dup2(fd, fd) == fd);
	result("dup3 of itself", dup3(fd, fd, 0));
	result("dup2 of a closed one", dup2(200, 3));
	result("dup2 to a negative", dup2(fd, -1));
	say("F_DUPFD_CLOEXEC: %d", fcntl(fd, F_DUPFD_CLOEXEC, 100));
	say("its flag: %d", fcntl(100, F_GETFD));

	int log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
	for (int w = 0; w < WRITERS; w++) {
		pids[w] = fork_or_die();
		if (pids[w] == 0) {
			int mine = w % 2 ? log : open("log", O_WRONLY | O_APPEND);

			for (int i = 0; i < LINES; i++) {
				snprintf(text, sizeof(text), "%c%03d\n", 'A' + w, i);
				if (write(mine, text, 5) != 5)
					_exit(1);
			}
			_exit(0);
		}
	}
	for (int w = 0; w < WRITERS; w++)
		child_report("appender", pids[w]);
	int in = open("log", O_RDONLY), next[WRITERS] = {0}, wrong = 0;
	while (read_all(in, text, 5) == 5) {
		int w = text[0] - 'A';

		if (w < 0 || w >= WRITERS || text[4] != '\n' || atoi(text + 1) != next[w]++)
			wrong++;
	}
	say("lines: %d %d %d %d wrong: %d", next[0], next[1], next[2], next[3], wrong);

	int counter = open("counter", O_RDWR | O_CREAT, 0600);
	for (int w = 0; w < 2; w++) {
		pids[w] = fork_or_die();
		if (pids[w] == 0) {
			for (int i = 0; i < 100; i++)
				write_all(counter, w ? "1" : "0", 1);
			_exit(0);
		}
	}
	child_wait(pids[0]);
	child_wait(pids[1]);
	result("one offset, two writers", lseek(counter, 0, SEEK_CUR));
	return finish();
}
