/* SPDX-License-Identifier: ISC */
/*
 * Stop and continue: SIGSTOP, SIGTSTP caught and not, SIGCONT clears pending stops, a stopped
 * member makes no progress, SIGKILL ends it.
 * @test timeout=30 members=4
 */
#include "guest.h"

static volatile sig_atomic_t caught;

static void handler(int number)
{
	caught = number;
}

int main(void)
{
	volatile int *counter = shared_memory(4096);
	struct gate go;
	int status;

	gate_make(&go);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		char byte;

		on_signal(SIGCONT, handler, 0);
		setpgid(0, 0);
		raise(SIGTSTP);
		counter[1] = caught == SIGCONT;
		for (int i = 0; i < 3; i++) {
			while (read(go.fd[0], &byte, 1) != 1)
				;
			counter[0]++;
		}
		_exit(5);
	}
	/* A group of its own that is not orphaned: default stops work. */
	waitpid(pid, &status, WUNTRACED);
	say("SIGTSTP: %s", WIFSTOPPED(status) ? status_text(status) : "ignored in an orphaned group");
	if (WIFSTOPPED(status)) {
		kill(pid, SIGCONT);
		waitpid(pid, &status, WCONTINUED);
		say("SIGCONT: %s", status_text(status));
	}
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	gate_open(&go);
	pause_ms(20);
	say("progress while stopped: %d", counter[0]);
	kill(pid, SIGTERM);
	kill(pid, SIGUSR1);
	say("still there: %d", waitpid(pid, &status, WNOHANG));
	kill(pid, SIGKILL);
	child_report("killed while stopped", pid);
	return finish();
}
