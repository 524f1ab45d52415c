/* SPDX-License-Identifier: ISC */
/*
 * Blocked and pending signals: sent by another member, held, seen by sigpending, delivered in
 * order of number on unblocking; SIGKILL and SIGSTOP cannot be blocked or caught.
 * @test timeout=30 members=2
 */
#include "guest.h"

static volatile int order[8];
static volatile int count;

static void handler(int number)
{
	if (count < 8)
		order[count++] = number;
}

int main(void)
{
	sigset_t set, old;

	on_signal(SIGUSR1, handler, 0);
	on_signal(SIGUSR2, handler, 0);
	on_signal(SIGTERM, handler, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGTERM);
	result("sigprocmask", sigprocmask(SIG_SETMASK, &set, &old));
	say("nothing was blocked: %d", sigismember(&old, SIGUSR1));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		kill(getppid(), SIGTERM);
		kill(getppid(), SIGUSR2);
		kill(getppid(), SIGUSR1);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	child_report("sender", pid);
	sigpending(&set);
	say("pending: %d %d %d %d", sigismember(&set, SIGUSR1), sigismember(&set, SIGUSR2),
		sigismember(&set, SIGTERM), sigismember(&set, SIGINT));
	say("delivered so far: %d", count);
	signals_unblock(SIGUSR2, 0);
	say("delivered: %d, first %s", count, signal_name(order[0]));
	sigprocmask(SIG_SETMASK, &old, NULL);
	say("delivered: %d", count);
	int seen = 0;
	for (int i = 0; i < count; i++)
		seen |= 1 << order[i];
	say("all three: %d", seen == (1 << SIGUSR1 | 1 << SIGUSR2 | 1 << SIGTERM));
	signals_block(SIGUSR1, 0);
	raise(SIGUSR1);
	signal(SIGUSR1, SIG_IGN);
	sigpending(&set);
	say("pending after ignoring: %d", sigismember(&set, SIGUSR1));
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, NULL, &set);
	say("blocked: KILL %d STOP %d INT %d", sigismember(&set, SIGKILL), sigismember(&set, SIGSTOP),
		sigismember(&set, SIGINT));
	result("sigprocmask, wrong how", sigprocmask(9, &set, NULL));
	struct sigaction action = {.sa_handler = handler};
	result("catch SIGKILL", sigaction(SIGKILL, &action, NULL));
	result("catch SIGSTOP", sigaction(SIGSTOP, &action, NULL));
	result("catch 65", sigaction(65, &action, NULL));
	result("wrong set size", syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4));
	return finish();
}
