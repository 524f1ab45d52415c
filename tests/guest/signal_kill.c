/* SPDX-License-Identifier: ISC */
/*
 * kill to a process, to a group, to all (-1 is left out natively), with signal 0, and its errors;
 * siginfo names the sender.
 * @test timeout=30 members=6
 */
#include "guest.h"

static volatile sig_atomic_t number_got, code_got;
static volatile pid_t sender;

static void on_user(int number, siginfo_t *info, void *context)
{
	(void)context;
	number_got = number;
	code_got = info->si_code;
	sender = info->si_pid;
}

int main(void)
{
	struct gate ready;
	pid_t pids[3];

	gate_make(&ready);
	signals_block(SIGUSR1, SIGUSR2);
	for (int i = 0; i < 3; i++) {
		pids[i] = fork_or_die();
		if (pids[i] == 0) {
			sigset_t none;

			on_signal_info(SIGUSR1, on_user, 0);
			setpgid(0, i ? getppid() : 0);
			sigemptyset(&none);
			gate_open(&ready);
			sigsuspend(&none);
			_exit(number_got == SIGUSR1 && code_got == SI_USER && sender == getppid() ? i : 9);
		}
	}
	for (int i = 0; i < 3; i++)
		gate_wait(&ready);
	result("kill to one", kill(pids[0], SIGUSR1));
	child_report("first", pids[0]);
	on_signal(SIGUSR1, SIG_IGN, 0);
	result("kill to the group", kill(0, SIGUSR1));
	child_report("second", pids[1]);
	child_report("third", pids[2]);

	pid_t pid = fork_or_die();
	if (pid == 0) {
		for (int i = 0; i < 1000; i++)
			pause();
		_exit(1);
	}
	result("signal 0", kill(pid, 0));
	result("signal 65", kill(pid, 65));
	result("negative signal", kill(pid, -1));
	result("kill", kill(pid, SIGTERM));
	siginfo_t info;
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	result("a zombie can be signalled", kill(pid, SIGTERM));
	child_report("terminated", pid);
	result("gone", kill(pid, 0));
	result("no such process", kill(1 << 21, SIGTERM));
	result("no such group", kill(-(1 << 21), SIGTERM));
	result("no such thread", syscall(SYS_tgkill, getpid(), 1 << 21, SIGUSR1));
	result("tgkill of nothing", syscall(SYS_tgkill, -1, -1, SIGUSR1));
	return finish();
}
