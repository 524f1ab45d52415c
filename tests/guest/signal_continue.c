/* SPDX-License-Identifier: ISC */
/*
 * SIGCONT and SIGKILL end a stop at the moment of sending: from then on wait reports no stop, and
 * a stop signal that follows at once is a new stop.
 * @test timeout=60 members=3
 */
#include "guest.h"

#define ROUNDS 300

static void expect_status(const char *name, pid_t pid, int options, bool (*is)(int))
{
	int status = -1;

	expect(name, waitpid(pid, &status, options) == pid && is(status));
}

static bool by_stop(int status)
{
	return WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP;
}

static bool continued(int status)
{
	return WIFCONTINUED(status);
}

static bool killed(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

int main(void)
{
	pid_t pid = fork_or_die();

	if (pid == 0)
		for (;;)
			pause();
	for (int i = 0; i < ROUNDS; i++) {
		kill(pid, SIGSTOP);
		expect_status("stopped", pid, WUNTRACED, by_stop);
		kill(pid, SIGCONT);
		expect("nothing but the continuing", waitpid(pid, NULL, WUNTRACED | WNOHANG) == 0);
		expect_status("continued", pid, WCONTINUED, continued);
		/* The first stop may or may not be taken before it is over: nobody hears of it. */
		kill(pid, SIGSTOP);
		kill(pid, SIGCONT);
		expect("a stop that is over", waitpid(pid, NULL, WUNTRACED | WNOHANG) == 0);
		kill(pid, SIGSTOP);
		expect_status("stopped anew", pid, WUNTRACED, by_stop);
		kill(pid, SIGCONT);
		kill(pid, SIGSTOP);
		expect_status("stopped at once", pid, WUNTRACED, by_stop);
		kill(pid, SIGCONT);
		expect_status("continued again", pid, WCONTINUED, continued);
	}
	kill(pid, SIGSTOP);
	expect_status("stopped to die", pid, WUNTRACED, by_stop);
	kill(pid, SIGKILL);
	expect_status("no stop, but death", pid, WUNTRACED, killed);
	say("rounds: %d", ROUNDS);
	return finish();
}
