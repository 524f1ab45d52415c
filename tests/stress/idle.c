/* SPDX-License-Identifier: ISC */
/*
 * For a look from outside: five times it makes children in every way, COUNT in all, waits for them,
 * prints `idle` and sleeps until a byte comes on standard input.
 *
 *   idle COUNT
 * @test timeout=120 members=10000
 */
#include "guest.h"

#include <spawn.h>

extern char **environ;

static void child_work(void)
{
	int fds[2];

	memset(private_memory(256 * KIB), 1, 256 * KIB);
	memset(shared_memory(64 * KIB), 1, 64 * KIB);
	if (pipe(fds) < 0 || write(fds[1], "x", 1) != 1)
		_exit(90);
	_exit(3);
}

static void make_one(int kind)
{
	char *arguments[] = {"idle", "leaf", "x", NULL};
	pid_t pid;

	if (kind == 0) {
		if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ))
			die("posix_spawn");
	} else {
		pid = fork_or_die();
		if (pid == 0 && kind == 1) {
			execv("/proc/self/exe", arguments);
			_exit(91);
		}
		if (pid == 0)
			child_work();
	}
	if (kind == 3)
		kill(pid, SIGKILL);
	int status = child_wait(pid);
	if (!(WIFEXITED(status) && WEXITSTATUS(status) == 3) && kind != 3)
		die(status_text(status));
}

int main(int argc, char **argv)
{
	char byte;

	if (argc == 3)
		return 3;
	for (int turn = 0; turn < 5; turn++) {
		for (int i = 0; argc == 2 && i < atoi(argv[1]); i++)
			make_one(i % 4);
		say("idle");
		if (read(0, &byte, 1) != 1)
			return 1;
	}
	return finish();
}
