/* SPDX-License-Identifier: ISC */
/*
 * A loop without any system call is interrupted: by another member's kill, by alarm and by
 * setitimer; by SIGKILL and by SIGSTOP too.
 * @test timeout=30 members=5 svm
 */
#include "guest.h"

static volatile sig_atomic_t signals;

static void handler(int number)
{
	(void)number;
	signals++;
}

/* Bounded by a few thousand million steps, far more than a signal needs. */
static void spin_until(int count)
{
	for (long i = 0; i < 20000000000 && signals < count; i++)
		__asm__ volatile("");
}

int main(void)
{
	int status;

	on_signal(SIGUSR1, handler, 0);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	spin_until(1);
	say("signals from a member: %d", signals);
	child_report("sender", pid);

	signals = 0;
	on_signal(SIGALRM, handler, 0);
	struct itimerval timer = {{0, 5000}, {0, 5000}}, off = {{0, 0}, {0, 0}};
	result("setitimer", setitimer(ITIMER_REAL, &timer, NULL));
	spin_until(3);
	result("setitimer off", setitimer(ITIMER_REAL, &off, &timer));
	check("ticks", signals >= 3);
	say("interval: %ld", (long)timer.it_interval.tv_usec);

	struct gate ready;
	gate_make(&ready);
	pid = fork_or_die();
	if (pid == 0) {
		signals = 0;
		gate_open(&ready);
		spin_until(1);
		_exit(signals);
	}
	gate_wait(&ready);
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	say("busy child: %s", status_text(status));
	kill(pid, SIGCONT);
	waitpid(pid, &status, WCONTINUED);
	say("busy child: %s", status_text(status));
	kill(pid, SIGUSR1);
	child_report("busy child", pid);

	pid = fork_or_die();
	if (pid == 0) {
		signals = 0;
		gate_open(&ready);
		spin_until(1);
		_exit(1);
	}
	gate_wait(&ready);
	kill(pid, SIGKILL);
	child_report("busy child", pid);
	return finish();
}
