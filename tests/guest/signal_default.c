/* SPDX-License-Identifier: ISC */
/*
 * Default actions: which signals end a process, which are ignored.
 * @test timeout=60 members=32
 */
#include "guest.h"

int main(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	for (int number = 1; number < 32; number++) {
		if (number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU)
			continue;
		pid_t pid = fork_or_die();

		if (pid == 0) {
			signal(number, SIG_DFL);
			raise(number);
			_exit(0);
		}
		int status = child_wait(pid);
		say("signal %d: %s", number,
			WIFSIGNALED(status) && WTERMSIG(status) == number ? "killed" : status_text(status));
	}
	return finish();
}
