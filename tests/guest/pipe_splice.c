/* SPDX-License-Identifier: ISC */
/*
 * splice: file to pipe, pipe to file, pipe to pipe and to /dev/null, with offsets, across a fork,
 * and its errors.
 * @test timeout=20 members=2
 */
#include "guest.h"

int main(void)
{
	int a[2], b[2], file, null;
	char text[64] = "";
	off_t at = 4;

	work_dir();
	file = open("file", O_RDWR | O_CREAT, 0600);
	null = open("/dev/null", O_WRONLY);
	write_all(file, "0123456789", 10);
	if (pipe(a) || pipe(b))
		die("pipe");
	say("file to pipe: %zd, offset %ld", splice(file, &at, a[1], NULL, 3, 0), (long)at);
	lseek(file, 0, SEEK_SET);
	say("at its position: %zd", splice(file, NULL, a[1], NULL, 2, 0));
	say("position: %ld", (long)lseek(file, 0, SEEK_CUR));
	say("pipe to pipe: %zd", splice(a[0], NULL, b[1], NULL, 100, 0));
	say("in it: %zd %s", read(b[0], text, sizeof(text)), text);
	result("empty, not blocking", splice(a[0], NULL, b[1], NULL, 10, SPLICE_F_NONBLOCK));
	write_all(a[1], "thrown away", 11);
	say("to /dev/null: %zd", splice(a[0], NULL, null, NULL, 4096, SPLICE_F_MOVE));
	result("two files", splice(file, NULL, null, NULL, 1, 0));
	result("offset of a pipe", splice(a[0], &at, file, NULL, 1, 0));
	result("to itself", splice(a[0], NULL, a[1], NULL, 1, 0));
	result("read end to write", splice(file, NULL, a[0], NULL, 1, 0));
	result("bad flags", splice(file, NULL, a[1], NULL, 1, 64));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		for (int i = 0; i < 1000; i++)
			write_all(a[1], "abcdefgh", 8);
		_exit(0);
	}
	close(a[1]);
	long total = 0, n;
	at = 100;
	while ((n = splice(a[0], NULL, file, &at, 65536, 0)) > 0)
		total += n;
	child_report("writer", pid);
	say("moved %ld, offset %ld, end %ld", total, (long)at, n);
	say("file: %ld", (long)lseek(file, 0, SEEK_END));
	signal(SIGPIPE, SIG_IGN);
	close(b[0]);
	at = 0;
	result("nobody reads", splice(file, &at, b[1], NULL, 1, 0));
	return finish();
}
