/* SPDX-License-Identifier: ISC */
/*
 * SIGCHLD ignored, or SA_NOCLDWAIT: children vanish and wait ends with ECHILD once the last is
 * gone; SA_NOCLDSTOP: no signal for stops.
 * @test timeout=30 members=8
 */
#include "guest.h"

static volatile sig_atomic_t signals;

static void count(int number)
{
	(void)number;
	signals++;
}

int main(void)
{
	int status;

	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 3; i++)
		if (fork_or_die() == 0)
			_exit(i);
	result("wait, ignored", wait(&status));

	struct sigaction action = {.sa_handler = count, .sa_flags = SA_NOCLDWAIT};
	sigaction(SIGCHLD, &action, NULL);
	if (fork_or_die() == 0)
		_exit(1);
	long rc;
	do
		rc = wait(&status);
	while (rc == -1 && errno == EINTR);
	result("wait, SA_NOCLDWAIT", rc);
	say("signals: %d", signals);

	signals = 0;
	action.sa_flags = SA_NOCLDSTOP | SA_RESTART;
	sigaction(SIGCHLD, &action, NULL);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		raise(SIGSTOP);
		_exit(4);
	}
	waitpid(pid, &status, WUNTRACED);
	say("%s, signals: %d", status_text(status), signals);
	kill(pid, SIGCONT);
	child_report("after SIGCONT", pid);
	say("signals: %d", signals);

	signals = 0;
	action.sa_flags = SA_RESTART;
	sigaction(SIGCHLD, &action, NULL);
	pid = fork_or_die();
	if (pid == 0) {
		raise(SIGSTOP);
		_exit(4);
	}
	waitpid(pid, &status, WUNTRACED);
	say("%s, signals: %d", status_text(status), signals);
	kill(pid, SIGCONT);
	child_report("after SIGCONT", pid);
	check("a signal each", signals >= 2 && signals <= 3);
	return finish();
}
