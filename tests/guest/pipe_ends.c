/* SPDX-License-Identifier: ISC */
/*
 * EOF on the last close of the writing end, EPIPE and SIGPIPE after the last close of the reading
 * end, counted over all members that hold the descriptors.
 * @test timeout=20 members=5 svm
 */
#include "guest.h"

static volatile sig_atomic_t broken;

static void on_broken(int number)
{
	(void)number;
	broken++;
}

int main(void)
{
	struct gate go;
	char text[16];
	int ends[2];

	gate_make(&go);
	if (pipe(ends) < 0)
		die("pipe");
	/* The child keeps the writing end, so that the end comes when it exits and not before. */
	pid_t pid = fork_or_die();
	if (pid == 0) {
		gate_wait(&go);
		write_all(ends[1], "last", 4);
		_exit(0);
	}
	close(ends[1]);
	struct pollfd look = {ends[0], POLLIN, 0};
	say("poll before: %d", poll(&look, 1, 0));
	gate_open(&go);
	say("read: %zu", read_all(ends[0], text, sizeof(text)));
	result("read at the end", read(ends[0], text, 1));
	child_report("writer", pid);
	close(ends[0]);

	if (pipe(ends) < 0)
		die("pipe");
	on_signal(SIGPIPE, on_broken, 0);
	pid = fork_or_die();
	if (pid == 0) {
		close(ends[1]);
		gate_wait(&go);
		_exit(0);
	}
	close(ends[0]);
	result("write while a child reads", write(ends[1], "x", 1));
	gate_open(&go);
	child_report("reader", pid);
	result("write without a reader", write(ends[1], "x", 1));
	say("SIGPIPE: %d", broken);
	signal(SIGPIPE, SIG_IGN);
	result("write, ignored", write(ends[1], "x", 1));

	signal(SIGPIPE, SIG_DFL);
	pid = fork_or_die();
	if (pid == 0) {
		if (write(ends[1], "x", 1) < 0)
			_exit(1);
		_exit(0);
	}
	child_report("writer by default", pid);

	/* A writer asleep in a full pipe is woken by the last reader's exit. */
	if (pipe(ends) < 0)
		die("pipe");
	pid = fork_or_die();
	if (pid == 0) {
		static char block[100000];

		close(ends[0]);
		signal(SIGPIPE, SIG_IGN);
		_exit(write(ends[1], block, sizeof(block)) > 0 ? 0 : 1);
	}
	close(ends[1]);
	say("read: %zu", read_all(ends[0], text, 10));
	struct pollfd full = {ends[0], POLLIN, 0};
	poll(&full, 1, 1000);
	close(ends[0]);
	child_report("blocked writer", pid);
	return finish();
}
