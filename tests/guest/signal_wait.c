/* SPDX-License-Identifier: ISC */
/*
 * sigtimedwait, sigwait, sigsuspend: time-outs, pending signals taken without a handler, mask
 * restored.
 * @test timeout=30 members=3
 */
#include "guest.h"

static volatile sig_atomic_t handled;

static void handler(int number)
{
	handled = number;
}

int main(void)
{
	sigset_t set = signal_set(SIGUSR1, SIGCHLD), none, now;
	struct timespec zero = {0, 0}, little = {0, 20000000}, wrong = {0, -1};
	siginfo_t info;

	sigprocmask(SIG_BLOCK, &set, NULL);
	result("nothing pending", sigtimedwait(&set, &info, &zero));
	int64_t began = clock_ns(CLOCK_MONOTONIC);
	result("time-out", sigtimedwait(&set, &info, &little));
	check("waited", clock_ns(CLOCK_MONOTONIC) - began >= 20000000);
	result("wrong time", sigtimedwait(&set, &info, &wrong));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		kill(getppid(), SIGUSR1);
		_exit(6);
	}
	int first = sigwaitinfo(&set, &info);
	int second = sigwaitinfo(&set, &info);
	say("both came: %d",
		(first == SIGUSR1 && second == SIGCHLD) || (first == SIGCHLD && second == SIGUSR1));
	child_report("child", pid);

	on_signal(SIGUSR1, handler, 0);
	sigemptyset(&none);
	pid = fork_or_die();
	if (pid == 0) {
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	child_report("sender", pid);
	say("held: %d", handled);
	result("sigsuspend", sigsuspend(&none));
	say("handled: %s", signal_name(handled));
	sigprocmask(SIG_BLOCK, NULL, &now);
	say("mask restored: %d", sigismember(&now, SIGUSR1));
	raise(SIGUSR1);
	int number = 0;
	result("sigwait", sigwait(&set, &number));
	say("taken: %s", signal_name(number));
	return finish();
}
