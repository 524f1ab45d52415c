/* SPDX-License-Identifier: ISC */
/*
 * Writes that need not wait are never interrupted, however many signals come: less than a pipe
 * holds, byte by byte, under a timer and a child that send signals without SA_RESTART.
 * @test timeout=30 members=2
 */
#include "guest.h"

#define BYTES 8000

static void handler(int number)
{
	(void)number;
}

int main(void)
{
	struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
	int failed = 0;

	on_signal(SIGALRM, handler, 0);
	on_signal(SIGUSR1, handler, 0);
	pid_t parent = getpid(), pid = fork_or_die();
	if (pid == 0) {
		for (int i = 0; i < 100000 && getppid() == parent; i++)
			kill(parent, SIGUSR1);
		_exit(0);
	}
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < BYTES; i++)
		failed += write(STDOUT_FILENO, i % 80 == 79 ? "\n" : ".", 1) != 1;
	setitimer(ITIMER_REAL, &never, NULL);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	say("%d failed", failed);
	return finish();
}
