/* SPDX-License-Identifier: ISC */
/*
 * Two members signal each other three hundred times, each waiting in sigsuspend: no signal is lost.
 * @test timeout=60 members=2
 */
#include "guest.h"

#define ROUNDS 300

static volatile sig_atomic_t got;

static void handler(int number)
{
	(void)number;
	got++;
}

int main(void)
{
	sigset_t none;

	sigemptyset(&none);
	signals_block(SIGUSR1, 0);
	on_signal(SIGUSR1, handler, 0);
	pid_t parent = getpid();
	pid_t pid = fork_or_die();
	for (int i = 0; i < ROUNDS; i++) {
		if (pid)
			kill(pid, SIGUSR1);
		while (got <= i)
			sigsuspend(&none);
		if (!pid)
			kill(parent, SIGUSR1);
	}
	if (!pid)
		_exit(0);
	child_report("partner", pid);
	say("signals: %d", got);
	return finish();
}
