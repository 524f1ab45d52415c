/* SPDX-License-Identifier: ISC */
/*
 * sigqueue carries values; real-time signals queue and arrive lowest number first, in order of
 * sending.
 * @test timeout=30 members=2
 */
#include "guest.h"

static volatile int numbers[16], values[16], codes[16];
static volatile int count;

static void handler(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (count < 16) {
		numbers[count] = number;
		values[count] = info->si_value.sival_int;
		codes[count++] = info->si_code;
	}
}

int main(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGRTMIN + 2);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	on_signal_info(SIGRTMIN, handler, 0);
	on_signal_info(SIGRTMIN + 2, handler, 0);
	on_signal_info(SIGUSR1, handler, 0);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		for (int i = 0; i < 3; i++) {
			sigqueue(getppid(), SIGRTMIN + 2, (union sigval){.sival_int = 10 + i});
			sigqueue(getppid(), SIGRTMIN, (union sigval){.sival_int = 20 + i});
			sigqueue(getppid(), SIGUSR1, (union sigval){.sival_int = 30 + i});
		}
		_exit(0);
	}
	child_report("sender", pid);
	siginfo_t info;
	sigset_t first = signal_set(SIGRTMIN, 0);
	say("sigwaitinfo: %d", sigwaitinfo(&first, &info) == SIGRTMIN);
	say("value %d, sent by the child: %d, SI_QUEUE: %d", info.si_value.sival_int,
		info.si_pid == pid, info.si_code == SI_QUEUE);
	signals_unblock(SIGRTMIN, 0);
	signals_unblock(SIGRTMIN + 2, 0);
	signals_unblock(SIGUSR1, 0);
	for (int i = 0; i < count; i++)
		say("%s%d value %d code %s", numbers[i] >= SIGRTMIN ? "RT" : "SIG",
			numbers[i] >= SIGRTMIN ? numbers[i] - SIGRTMIN : numbers[i], values[i],
			codes[i] == SI_QUEUE ? "SI_QUEUE" : "?");
	result("sigqueue to nobody", sigqueue(1 << 21, SIGUSR1, (union sigval){.sival_int = 1}));
	return finish();
}
