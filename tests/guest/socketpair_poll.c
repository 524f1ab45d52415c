/* SPDX-License-Identifier: ISC */
/*
 * Readiness of sockets as poll sees it, alone and while another process acts: data, room, half
 * closed, closed, listening, not connected; a signal during a read that blocks.
 * @test timeout=20 members=3
 */
#include "guest.h"
#include <sys/socket.h>
#include <sys/un.h>

static void show(const char *what, int fd, int timeout)
{
	struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
	int n = poll(&p, 1, timeout);
	short r = p.revents;

	say("%s: %d%s%s%s%s%s", what, n, r & POLLIN ? " IN" : "", r & POLLOUT ? " OUT" : "",
		r & POLLRDHUP ? " RDHUP" : "", r & POLLHUP ? " HUP" : "", r & POLLERR ? " ERR" : "");
}

static void on_alarm(int sig)
{
	(void)sig;
}

int main(void)
{
	static char block[4096];
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int pair[2], s = socket(AF_UNIX, SOCK_STREAM, 0);
	char text[8];

	memcpy(name.sun_path, "\0guest_pair_poll", 16);
	show("not connected", s, 0);
	bind(s, (struct sockaddr *)&name, 2 + 16);
	listen(s, 2);
	show("listening", s, 0);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	show("fresh", pair[0], 0);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		usleep(50000);
		write(pair[1], "hello", 5);
		int c = socket(AF_UNIX, SOCK_STREAM, 0);
		if (connect(c, (struct sockaddr *)&name, 2 + 16) < 0)
			die("connect");
		pause();
	}
	struct pollfd p[2] = {{pair[0], POLLIN, 0}, {s, POLLIN, 0}};
	result("poll until data", poll(p, 1, 5000));
	result("poll until a client", poll(p + 1, 1, 5000));
	show("listening with a client", s, 0);
	result("read", read(pair[0], text, sizeof(text)));
	kill(pid, SIGKILL);
	child_report("killed", pid);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	while (write(pair[0], block, sizeof(block)) > 0)
		;
	show("full", pair[0], 0);
	shutdown(pair[1], SHUT_WR);
	show("the other half closed", pair[0], 0);
	close(pair[1]);
	show("closed", pair[0], 0);
	close(pair[0]);

	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	show("datagram", pair[0], 0);
	send(pair[1], "x", 1, 0);
	show("datagram with data", pair[0], 0);
	close(pair[1]);
	show("datagram without peer", pair[0], 0);
	close(pair[0]);

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	struct sigaction sa = {.sa_handler = on_alarm};
	sigaction(SIGALRM, &sa, NULL);
	struct itimerval soon = {{0, 0}, {0, 30000}};
	setitimer(ITIMER_REAL, &soon, NULL);
	result("interrupted", read(pair[0], text, 1));
	return finish();
}
