/* SPDX-License-Identifier: ISC */
/*
 * Leaving: atexit order, buffered output flushed by exit and not by _exit, and a program that
 * ends itself by a signal, which `unifork run` shows as 128+N.
 * @test timeout=20 members=3 status=143 also=musl
 */
#include "guest.h"

static void first(void)
{
	say("first registered");
}
static void second(void)
{
	say("second registered");
}

int main(void)
{
	pid_t pid = fork_or_die();

	if (pid == 0) {
		atexit(first);
		atexit(second);
		printf("flushed by exit\n");
		exit(300 - 44 * 6);
	}
	child_report("exit", pid);
	pid = fork_or_die();
	if (pid == 0) {
		printf("never seen\n");
		_exit(1);
	}
	child_report("_exit", pid);
	raise(SIGTERM);
	return finish();
}
