/* SPDX-License-Identifier: ISC */
/*
 * Urgent data on AF_UNIX stream sockets (MSG_OOB): where reading stops, SIOCATMARK, POLLPRI,
 * SIGURG, SO_OOBINLINE, a second one while the first is there, peeking; what other types answer.
 * @test timeout=20 members=3 nosvm
 */
#include "guest.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

static int fd[2];
static volatile sig_atomic_t told;

static void handler(int sig)
{
	told += sig == SIGURG;
}

static void make(void)
{
	if (fd[1]) {
		close(fd[0]);
		close(fd[1]);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
		die("socketpair");
}

static void put(const char *text, int flags)
{
	if (send(fd[0], text, strlen(text), flags) != (ssize_t)strlen(text))
		result("send", -1);
}

static void take(size_t room, int flags)
{
	char buf[64] = "";
	ssize_t n = recv(fd[1], buf, room, flags | MSG_DONTWAIT);

	say("recv%s%s: %s \"%.*s\"", flags & MSG_OOB ? " OOB" : "", flags & MSG_PEEK ? " PEEK" : "",
		n < 0 ? errno_name(errno) : "ok", n < 0 ? 0 : (int)n, buf);
}

static void state(void)
{
	struct pollfd p = {fd[1], POLLIN | POLLPRI, 0};
	int mark = -1;

	poll(&p, 1, 0);
	ioctl(fd[1], SIOCATMARK, &mark);
	say("mark %d, %s%s", mark, p.revents & POLLIN ? "in " : "", p.revents & POLLPRI ? "pri" : "");
}

static void plain(void)
{
	make();
	take(64, MSG_OOB);
	put("abX", MSG_OOB);
	put("cd", 0);
	state();
	take(64, MSG_PEEK);
	take(64, 0);
	state();
	take(1, MSG_OOB | MSG_PEEK);
	take(1, MSG_OOB);
	take(1, MSG_OOB);
	state();
	take(64, 0);
	state();
	take(64, 0);
}

static void passed_over(void)
{
	make();
	put("Y", MSG_OOB);
	put("rest", 0);
	state();
	take(64, 0);
	take(1, MSG_OOB);
	put("12", 0);
	put("Z", MSG_OOB);
	put("34", 0);
	take(1, MSG_OOB);
	take(64, 0); /* stops where it was */
	take(64, 0);
}

static void two(void)
{
	make();
	put("1A", MSG_OOB);
	put("2B", MSG_OOB);
	put("3", 0);
	take(1, MSG_OOB);
	take(64, 0); /* the first is one of the stream now */
	take(64, 0);
}

static void in_line(void)
{
	int on = 1;

	make();
	setsockopt(fd[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	put("pq", 0);
	put("Y", MSG_OOB);
	put("rs", 0);
	take(1, MSG_OOB);
	take(64, 0);
	state();
	take(64, 0);
}

static int sends(void *arg)
{
	return send(fd[0], "U", 1, MSG_OOB) == 1 && !arg ? 0 : 1;
}

static void signals(void)
{
	struct pollfd p;

	make();
	signal(SIGURG, handler);
	result("F_SETOWN", fcntl(fd[1], F_SETOWN, getpid()));
	child_report("sender", child_start(sends, NULL));
	p = (struct pollfd){fd[1], POLLPRI, 0};
	result("poll", poll(&p, 1, 2000));
	check("SIGURG", told == 1);
	take(1, MSG_OOB);
}

int main(void)
{
	plain();
	passed_over();
	two();
	in_line();
	signals();
	result("nothing", send(fd[0], "", 0, MSG_OOB));
	socketpair(AF_UNIX, SOCK_DGRAM, 0, fd);
	result("a datagram", send(fd[0], "x", 1, MSG_OOB));
	take(1, MSG_OOB);
	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd);
	result("a packet", send(fd[0], "x", 1, MSG_OOB));
	return finish();
}
