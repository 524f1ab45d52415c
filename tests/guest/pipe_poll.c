/* SPDX-License-Identifier: ISC */
/*
 * poll, ppoll, select and pselect over pipes of other members: readiness, hang-up, time-out, bad
 * descriptors.
 * @test timeout=20 members=3
 */
#include "guest.h"
#include <sys/select.h>

static const char *events(short revents)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s%s%s%s%s", revents & POLLIN ? "IN " : "",
			 revents & POLLOUT ? "OUT " : "", revents & POLLHUP ? "HUP " : "",
			 revents & POLLERR ? "ERR " : "", revents & POLLNVAL ? "NVAL " : "");
	return text;
}

int main(void)
{
	static char block[65536];
	int a[2], b[2];
	struct gate go;

	gate_make(&go);
	if (pipe(a) < 0 || pipe(b) < 0)
		die("pipe");
	struct pollfd both[2] = {{a[0], POLLIN, 0}, {b[0], POLLIN, 0}};
	result("nothing ready", poll(both, 2, 0));
	result("time-out", poll(both, 2, 20));
	struct pollfd out = {a[1], POLLOUT, 0};
	result("room to write", poll(&out, 1, 0));
	write_all(a[1], block, sizeof(block));
	result("full", poll(&out, 1, 0));
	say("read: %zu", read_all(a[0], block, sizeof(block)));

	pid_t pid = fork_or_die();
	if (pid == 0) {
		close(b[0]);
		gate_wait(&go);
		write_all(b[1], "hello", 5);
		_exit(0);
	}
	close(b[1]);
	gate_open(&go);
	result("poll until the child writes", poll(both, 2, 5000));
	say("first: %s", events(both[0].revents));
	say("second has IN: %d", (both[1].revents & POLLIN) != 0);
	child_report("child", pid);
	poll(both, 2, 0);
	say("after its exit: %s", events(both[1].revents));
	say("read: %zu", read_all(b[0], block, 100));
	poll(both, 2, 0);
	say("at the end: %s", events(both[1].revents));

	fd_set set;
	FD_ZERO(&set);
	FD_SET(a[0], &set);
	struct timeval soon = {0, 10000};
	result("select times out", select(a[0] + 1, &set, NULL, NULL, &soon));
	say("set cleared: %d", FD_ISSET(a[0], &set));
	pid = fork_or_die();
	if (pid == 0) {
		gate_wait(&go);
		write_all(a[1], "x", 1);
		_exit(0);
	}
	gate_open(&go);
	FD_ZERO(&set);
	FD_SET(a[0], &set);
	result("select", select(a[0] + 1, &set, NULL, NULL, NULL));
	child_report("child", pid);
	struct timespec zero = {0, 0};
	FD_ZERO(&set);
	FD_SET(a[1], &set);
	result("pselect for writing", pselect(a[1] + 1, NULL, &set, NULL, &zero, NULL));
	close(a[0]);
	poll(&out, 1, 0);
	say("no reader left: %s", events(out.revents));
	struct pollfd bad = {77, POLLIN, 0}, ignored = {-1, POLLIN, 0};
	result("bad descriptor", poll(&bad, 1, 0));
	say("revents: %s", events(bad.revents));
	result("negative descriptor", poll(&ignored, 1, 0));
	/* Linux does not look beyond the size of the descriptor table, which is 64 at first. */
	FD_ZERO(&set);
	FD_SET(60, &set);
	result("select, bad descriptor", select(61, &set, NULL, NULL, NULL));
	result("select, negative count", select(-1, NULL, NULL, NULL, NULL));
	return finish();
}
