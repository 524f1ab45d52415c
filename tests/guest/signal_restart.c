/* SPDX-License-Identifier: ISC */
/*
 * A blocking read, wait and futex wait: restarted with SA_RESTART, EINTR without. The child
 * signals again and again until told that it worked, so that no signal arrives too early for
 * good.
 * @test timeout=30 members=6
 */
#include "guest.h"

static volatile sig_atomic_t signals;

static void handler(int number)
{
	(void)number;
	signals++;
}

struct talk {
	volatile int signalled;
	volatile int enough;
};

static struct talk *talk;

/* Signals the parent until it says enough, then (if asked to) writes to a pipe. */
static pid_t pester(int fd, int times_before_write)
{
	talk->signalled = talk->enough = 0;
	pid_t pid = fork_or_die();

	if (pid == 0) {
		for (int i = 0; i < 2000 && !talk->enough; i++) {
			kill(getppid(), SIGUSR1);
			talk->signalled++;
			pause_ms(2);
			if (fd >= 0 && i == times_before_write) {
				write_all(fd, "x", 1);
				break;
			}
		}
		_exit(0);
	}
	return pid;
}

int main(void)
{
	int ends[2];
	char byte;

	talk = shared_memory(4096);
	if (pipe(ends) < 0)
		die("pipe");
	on_signal(SIGUSR1, handler, 0);
	pid_t pid = pester(-1, 0);
	result("read without SA_RESTART", read(ends[0], &byte, 1));
	talk->enough = 1;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;

	on_signal(SIGUSR1, handler, SA_RESTART);
	signals = 0;
	pid = pester(ends[1], 10);
	result("read with SA_RESTART", read(ends[0], &byte, 1));
	check("was interrupted", signals > 0);
	child_report("writer", pid);

	on_signal(SIGUSR1, handler, 0);
	pid_t sleeper = fork_or_die();
	if (sleeper == 0) {
		for (int i = 0; i < 1000; i++)
			pause();
		_exit(0);
	}
	pid = pester(-1, 0);
	result("waitpid without SA_RESTART", waitpid(sleeper, NULL, 0));
	talk->enough = 1;
	kill(sleeper, SIGKILL);
	child_report("sleeper", sleeper);
	child_report("signaller", pid);

	/* poll, nanosleep, pause and sigsuspend never restart. */
	on_signal(SIGUSR1, handler, SA_RESTART);
	struct pollfd look = {ends[0], POLLIN, 0};
	pid = pester(-1, 0);
	result("poll", poll(&look, 1, 20000));
	struct timespec request = {20, 0}, left = {0, 0};
	result("nanosleep", nanosleep(&request, &left));
	check("time is left", left.tv_sec >= 10 && left.tv_sec < 20);
	result("clock_nanosleep", -clock_nanosleep(CLOCK_MONOTONIC, 0, &request, &left) == -EINTR);
	check("time is left", left.tv_sec >= 10 && left.tv_sec < 20);
	result("pause", pause());
	talk->enough = 1;
	child_report("signaller", pid);
	return finish();
}
