/* SPDX-License-Identifier: ISC */
/*
 * For the tests of the network: a program that speaks with a peer outside of its family over
 * loopback, in ways that differ in how the socket gets to who uses it. Arguments: the peer's TCP
 * port, which answers a line with "you said LINE" and ends the connection, and its UDP port, which
 * answers likewise. A line "call PORT TEXT" makes it connect to PORT, send TEXT, and tell what it
 * heard on the first connection.
 * @test timeout=20 members=4
 */
#include "guest_inet.h"
#include <sys/epoll.h>

static int tcp_port, udp_port;

static int connected(void)
{
	int s = socket_or_die(SOCK_STREAM);

	if (connect_loopback(s, tcp_port) < 0)
		die("connect");
	return s;
}

/* All that comes, until the end. */
static void heard(const char *what, int s)
{
	char text[256];
	size_t n = 0;
	ssize_t got;

	while ((got = read(s, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = 0;
	say("%s: %s%s", what, text, got < 0 ? net_error(errno) : "");
	close(s);
}

static void ask(int s, const char *line)
{
	if (write(s, line, strlen(line)) != (ssize_t)strlen(line))
		die("write");
}

static void plain(void)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int s = connected();

	done("peer", getpeername(s, (struct sockaddr *)&a, &len));
	check("peer's port", ntohs(a.sin_port) == tcp_port);
	ask(s, "plain\n");
	heard("plain", s);
	s = socket_or_die(SOCK_STREAM);
	done("nobody there", connect_loopback(s, 1));
	close(s);
}

static void nonblocking(void)
{
	int s = socket_or_die(SOCK_STREAM | SOCK_NONBLOCK), e = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	unsigned seen = 0;
	char c;

	if (connect_loopback(s, tcp_port) < 0 && errno != EINPROGRESS)
		die("connect");
	settle(s, POLLOUT);
	say("error %d", socket_error(s));
	ready("connected", s, 0);
	told("nothing yet", read(s, &c, 1));
	epoll_ctl(e, EPOLL_CTL_ADD, s, &event);
	while (epoll_wait(e, &event, 1, 100) > 0)
		seen |= event.events;
	say("writable only: %s", seen == EPOLLOUT ? "yes" : "no");
	ask(s, "nonblocking\n");
	for (seen = 0; !(seen & EPOLLRDHUP) && epoll_wait(e, &event, 1, 5000) > 0;)
		seen |= event.events;
	say("told of data and the end: %s", seen & EPOLLIN && seen & EPOLLRDHUP ? "yes" : "no");
	heard("nonblocking", s);
	close(e);
}

static void by_fork(void)
{
	int s = connected();
	pid_t pid = fork_or_die();

	if (pid == 0) {
		ask(s, "from a child\n");
		_exit(3);
	}
	child_report("child", pid);
	heard("its parent", s);
	/* the child has it last, and gives it up after its parent */
	s = connected();
	pid = fork_or_die();
	if (pid == 0) {
		pause_ms(100);
		ask(s, "later\n");
		heard("child", s);
		_exit(4);
	}
	close(s);
	child_report("child", pid);
}

static void by_exec(void)
{
	int s = connected();
	char number[16];
	pid_t pid;

	snprintf(number, sizeof(number), "%d", s);
	pid = vfork();
	if (pid == 0) {
		execl("/proc/self/exe", "net_talk", "inherits", number, (char *)NULL);
		_exit(9);
	}
	close(s);
	child_report("executed", pid);
}

static void by_message(void)
{
	char room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {room, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	char data = 'x';
	int pair[2], s;
	pid_t pid;

	iov.iov_base = &data;
	m.msg_control = room;
	m.msg_controllen = sizeof(room);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		die("socketpair");
	pid = fork_or_die();
	if (pid == 0) {
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);

		s = connected();
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &s, sizeof(s));
		_exit(sendmsg(pair[0], &m, 0) == 1 ? 5 : 6);
	}
	child_report("maker", pid); /* it is gone before anybody has fetched the socket */
	if (recvmsg(pair[1], &m, 0) != 1)
		die("recvmsg");
	memcpy(&s, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(s));
	ask(s, "passed on\n");
	heard("passed on", s);
	close(pair[0]);
	close(pair[1]);
}

static void accepting(void)
{
	int l = listener(4), s = connected(), own, c;
	char line[64];

	snprintf(line, sizeof(line), "call %d knock\n", port_of(l));
	ask(s, line);
	settle(l, POLLIN);
	ready("called", l, 0);
	c = accept(l, NULL, NULL);
	told("heard", read(c, line, 5));
	ask(c, "come in");
	close(c);
	heard("the caller", s);
	/* and one of the family on the same listener */
	own = socket_or_die(SOCK_STREAM);
	done("own", connect_loopback(own, port_of(l)));
	c = accept(l, NULL, NULL);
	ask(c, "welcome");
	close(c);
	heard("own", own);
	close(l);
}

/* More pieces than fit in one call of the monitor's. */
static void pieces(int s)
{
	char bytes[40], back[60] = "";
	struct iovec out[COUNT(bytes)], in[COUNT(back)];
	struct msghdr m = {.msg_iov = out, .msg_iovlen = COUNT(out)};

	for (size_t i = 0; i < COUNT(out); i++) {
		bytes[i] = (char)('a' + i % 26);
		out[i] = (struct iovec){&bytes[i], 1};
	}
	for (size_t i = 0; i < COUNT(in); i++)
		in[i] = (struct iovec){&back[i], 1};
	told("in pieces", sendmsg(s, &m, 0));
	m.msg_iov = in;
	m.msg_iovlen = COUNT(in);
	told("back in pieces", recvmsg(s, &m, 0));
	say("%.60s", back);
}

static void datagrams(void)
{
	int s = socket_or_die(SOCK_DGRAM), other = socket_or_die(SOCK_DGRAM);
	struct sockaddr_in a = loopback(udp_port);
	char text[64];

	told("sent", sendto(s, "first", 5, 0, (struct sockaddr *)&a, sizeof(a)));
	told("answer", recv(s, text, sizeof(text), 0));
	done("connect", connect_loopback(s, udp_port));
	told("send", send(s, "second", 6, 0));
	settle(s, POLLIN);
	ready("answered", s, 0);
	told("answer", recv(s, text, sizeof(text), MSG_DONTWAIT));
	told("no more", recv(s, text, sizeof(text), MSG_DONTWAIT));
	pieces(s);
	bind_loopback(other, 0);
	a = loopback(port_of(other));
	close(s);
	s = socket_or_die(SOCK_DGRAM);
	told("to the family", sendto(s, "own", 3, 0, (struct sockaddr *)&a, sizeof(a)));
	told("heard", recv(other, text, sizeof(text), 0));
	close(s);
	close(other);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "inherits")) {
		ask(atoi(argv[2]), "inherited\n");
		heard("inherited", atoi(argv[2]));
		return 7;
	}
	if (argc != 3)
		die("arguments");
	tcp_port = atoi(argv[1]);
	udp_port = atoi(argv[2]);
	plain();
	nonblocking();
	by_fork();
	by_exec();
	by_message();
	accepting();
	datagrams();
	return finish();
}
