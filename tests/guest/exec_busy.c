/* SPDX-License-Identifier: ISC */
/*
 * ETXTBSY: a running program cannot be opened for writing or truncated, a file that is open for
 * writing cannot be executed; replacing it by name always works.
 * @test timeout=20 members=3
 */
#include "guest.h"

static pid_t start(const char *name, int ready[2], int end[2])
{
	pid_t pid = fork_or_die();

	if (pid)
		return pid;
	dup2(ready[1], 3);
	dup2(end[0], 4);
	for (int fd = 5; fd < 12; fd++)
		close(fd);
	execl(name, name, "child", NULL);
	_exit(errno == ETXTBSY ? 26 : 1);
}

static void opens(const char *when)
{
	int fd = open("program", O_WRONLY);

	say("%s", when);
	okay("open to write", fd);
	if (fd >= 0)
		close(fd);
	okay("open to read and write", fd = open("program", O_RDWR | O_APPEND));
	if (fd >= 0)
		close(fd);
	result("truncate", truncate("program", 1 << 20));
	okay("open to read", fd = open("program", O_RDONLY));
	close(fd);
}

int main(int argc, char **argv)
{
	int ready[2], end[2], fd;
	char byte = 0;

	if (argc > 1 && !strcmp(argv[1], "child")) {
		write_all(3, &byte, 1);
		_exit(read(4, &byte, 1) == 0 ? 7 : 8);
	}
	work_dir();
	copy_self("program");
	fd = open("program", O_WRONLY | O_APPEND);
	if (pipe(ready) || pipe(end))
		die("pipe");
	pid_t pid = start("./program", ready, end);
	child_report("while open for writing", pid);
	close(fd);

	/* High descriptors: the child keeps 3 and 4 only, or its own copy would keep `end` open. */
	pid = start("./program", ready, end);
	result("runs", read(ready[0], &byte, 1));
	opens("while it runs");
	result("unlink", unlink("program"));
	copy_self("program");
	close(end[0]);
	close(end[1]);
	child_report("program", pid);
	opens("when it has ended");
	result("unlink", unlink("program"));
	return finish();
}
