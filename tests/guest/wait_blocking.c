/* SPDX-License-Identifier: ISC */
/*
 * wait sleeps until a child ends, in the order of their ends; SIGCHLD carries pid and status.
 * @test timeout=30 members=5
 */
#include "guest.h"

static volatile pid_t signal_pid;
static volatile int signal_status, signal_code;

static void on_child(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	signal_pid = info->si_pid;
	signal_status = info->si_status;
	signal_code = info->si_code;
}

int main(void)
{
	struct gate gates[4];
	pid_t pids[4];
	int status;

	for (int i = 0; i < 4; i++) {
		gate_make(&gates[i]);
		pids[i] = fork_or_die();
		if (pids[i] == 0) {
			gate_wait(&gates[i]);
			_exit(10 + i);
		}
	}
	on_signal_info(SIGCHLD, on_child, SA_RESTART);
	static const int order[] = {2, 0, 3, 1};
	for (int i = 0; i < 4; i++) {
		gate_open(&gates[order[i]]);
		pid_t got = wait(&status);
		say("%s, the right child: %d", status_text(status), got == pids[order[i]]);
		say("signal: %d %d %d", signal_pid == got, signal_status, signal_code == CLD_EXITED);
	}
	result("wait", wait(&status));
	return finish();
}
