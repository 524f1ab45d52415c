/* SPDX-License-Identifier: ISC */
/* Deaths in sockets of TCP, UDP and netlink. */
#include "operations.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define PORT 5555

static int pair[2], listener, first, second;
static pid_t sleeper;
static char block[30000];

static struct sockaddr_in name_of(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	const char *other = getenv("GUEST_ADDRESS"); /* of the host's, which then carries it */

	a.sin_addr.s_addr = other ? inet_addr(other) : htonl(INADDR_LOOPBACK);
	return a;
}

static int bind_port(int s, int port)
{
	struct sockaddr_in a = name_of(port);

	return bind(s, (struct sockaddr *)&a, sizeof(a));
}

static int port_of(int s)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	if (getsockname(s, (struct sockaddr *)&a, &len) < 0)
		die("getsockname");
	return ntohs(a.sin_port);
}

static int dial(int flags)
{
	struct sockaddr_in a = name_of(port_of(listener));
	int s = socket(AF_INET, SOCK_STREAM | flags, 0);

	if (connect(s, (struct sockaddr *)&a, sizeof(a)) < 0 && errno != EINPROGRESS) {
		close(s);
		return -1;
	}
	return s;
}

static void listen_with(int backlog)
{
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind_port(listener, 0) < 0 || listen(listener, backlog) < 0)
		die("listen");
	fcntl(listener, F_SETFL, O_NONBLOCK);
}

static void make_listener(void)
{
	listen_with(5);
}

static void make_pair(void)
{
	listen_with(1);
	pair[0] = dial(0);
	pair[1] = accept(listener, NULL, NULL);
	close(listener);
	if (pair[0] < 0 || pair[1] < 0)
		die("connect");
}

static void check_pair(void)
{
	see_pair_end(pair);
}

static void check_receive(void)
{
	see_drained(pair[1]);
	see_pair_end(pair);
}

/* ---- names */

static void act_bind(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);

	bind_port(s, PORT);
	listen(s, 5);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	bind_port(s, PORT);
	close(s);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	bind_port(s, PORT);
}

/* The ports of the dead are free again. */
static void check_bind(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0);

	if (bind_port(s, PORT) < 0 || listen(s, 1) < 0)
		wrong("a port of the dead: %s", errno_name(errno));
	if (bind_port(u, PORT) < 0)
		wrong("a port of UDP of the dead: %s", errno_name(errno));
	close(s);
	close(u);
}

/* ---- connections */

static void act_connect(void)
{
	write(dial(0), "abc", 3);
}

static void try_listener(void)
{
	int fd = dial(0), end = accept(listener, NULL, NULL);

	if (fd < 0 || end < 0)
		wrong("connecting and accepting: %s", errno_name(errno));
	close(end);
	close(fd);
}

static void check_connect(void)
{
	int fd = accept(listener, NULL, NULL);

	if (fd >= 0)
		see_end(fd);
	/* Nobody of the dead is left in the list. */
	if (accept(listener, NULL, NULL) >= 0 || errno != EAGAIN)
		wrong("a dead member connected twice: %s", errno_name(errno));
	try_listener();
	close(listener);
}

/* The listener has room for one. */
static void prepare_full(void)
{
	listen_with(0);
	first = dial(0);
}

static void act_connect_full(void)
{
	int s = dial(SOCK_NONBLOCK);

	close(s);
	dial(SOCK_NONBLOCK);
}

static void check_connect_full(void)
{
	close(accept(listener, NULL, NULL));
	see_end(first);
	int fd = accept(listener, NULL, NULL);
	if (fd >= 0 || errno != EAGAIN)
		wrong("who waited to connect is dead, and was accepted: %s", errno_name(errno));
	try_listener();
	close(listener);
}

static void act_refused(void)
{
	struct sockaddr_in a = name_of(PORT);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	connect(s, (struct sockaddr *)&a, sizeof(a));
	connect(s, (struct sockaddr *)&a, sizeof(a));
}

/* One is to be accepted, and one waits for room. */
static void prepare_accept(void)
{
	listen_with(0);
	first = dial(0);
	second = dial(SOCK_NONBLOCK);
}

static void act_accept(void)
{
	close(accept(listener, NULL, NULL));
}

static void check_accept(void)
{
	/* Either the dead had it and its end is seen, or it waits still. */
	int fd;

	if (!ready_soon(listener, POLLIN))
		wrong("who waited for room was forgotten");
	while ((fd = accept(listener, NULL, NULL)) >= 0)
		close(fd);
	see_end(first);
	if (!ready_soon(second, POLLOUT))
		wrong("who waited for room was not told");
	see_end(second);
	try_listener();
	close(listener);
}

/* ---- somebody sleeps in accept or in connect while the victim dies */

/* The memory of sockets stays theirs, and how many there are at once is a matter of time here. */
static void make_spares(void)
{
	int s[8];

	for (size_t i = 0; i < COUNT(s); i++)
		s[i] = socket(AF_INET, SOCK_STREAM, 0);
	for (size_t i = 0; i < COUNT(s); i++)
		close(s[i]);
}

static void sleep_accepting(void)
{
	close(accept(listener, NULL, NULL));
}

static void prepare_sleeping_accept(void)
{
	make_spares();
	make_listener();
	fcntl(listener, F_SETFL, 0);
	sleeper = sleeper_start(sleep_accepting);
}

/* Either the dead is not in the list, or who sleeps was told of it. */
static void check_sleeping_accept(void)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};

	for (int ms = 0; poll(&p, 1, 0) == 1 && !sleeper_ended(sleeper); ms++) {
		if (ms == 1000) {
			wrong("there is somebody to be accepted, and who accepts was not told");
			break;
		}
		pause_ms(1);
	}
	int fd = dial(0);
	sleeper_end(sleeper, "nobody accepts");
	close(fd);
	close(listener);
}

static void sleep_connecting(void)
{
	int fd = dial(0);

	_exit(fd < 0 || write(fd, "abc", 3) != 3);
}

static void prepare_sleeping_connect(void)
{
	make_spares();
	listen_with(0);
	first = dial(0);
	sleeper = sleeper_start(sleep_connecting);
}

static void check_sleeping_connect(void)
{
	int end[2], n = 0;

	/* Open until the sleeper has ended: a close would wake it. */
	while (n < 2 && (end[n] = accept(listener, NULL, NULL)) >= 0)
		n++;
	sleeper_end(sleeper, "who slept in connect was not told that there is room");
	while (n)
		close(end[--n]);
	see_end(first);
	try_listener();
	close(listener);
}

static void own_listener(void)
{
	prepare_accept();
	write(first, "abc", 3);
}

static void act_close_listener(void)
{
	close(listener);
}

static void check_shared(void)
{
	close(accept(listener, NULL, NULL));
	see_end(first);
	close(accept(listener, NULL, NULL));
	see_end(second);
	try_listener();
	close(listener);
}

static void act_disconnect(void)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};

	connect(pair[1], &none, sizeof(none));
}

/* ---- data */

static void act_send(void)
{
	write(pair[1], block, 5000);
	send(pair[1], "xyz", 3, MSG_OOB);
}

static void send_some(void)
{
	make_pair();
	write(pair[0], block, 3000);
	send(pair[0], block, 3000, MSG_OOB);
}

static void act_receive(void)
{
	read(pair[1], block, 5000);
	read(pair[1], block, 5000);
	recv(pair[1], block, 5000, MSG_DONTWAIT); /* passes over the mark: nothing is left */
}

static void act_shutdown(void)
{
	shutdown(pair[1], SHUT_WR);
	shutdown(pair[1], SHUT_RDWR);
}

static void ready_close(void)
{
	make_pair();
	write(pair[0], block, 3000);
}

static void act_close(void)
{
	close(pair[1]);
	close(pair[0]);
}

static void act_reset(void)
{
	struct linger now = {1, 0};

	setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(pair[1]);
	write(pair[0], "x", 1);
}

/* ---- others */

static void make_receiver(void)
{
	listener = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind_port(listener, 0) < 0)
		die("bind");
}

static void act_udp(void)
{
	struct sockaddr_in a = name_of(port_of(listener));
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	sendto(s, "hello", 5, 0, (struct sockaddr *)&a, sizeof(a));
	connect(s, (struct sockaddr *)&a, sizeof(a));
	write(s, "more", 4);
}

static void check_udp(void)
{
	char c[10];
	ssize_t n;

	while ((n = recv(listener, c, sizeof(c), MSG_DONTWAIT)) > 0)
		if (n != 5 && n != 4)
			wrong("a datagram of %zd bytes", n);
	close(listener);
}

static void act_netlink(void)
{
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} request = {{sizeof(request), RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {AF_UNSPEC}};
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	send(s, &request, sizeof(request), 0);
	recv(s, block, sizeof(block), 0);
}

const struct operation inet_operations[] = {
	{"inet_bind", NULL, NULL, act_bind, check_bind, 0},
	{"inet_connect", make_listener, NULL, act_connect, check_connect, 0},
	{"inet_connect_full", prepare_full, NULL, act_connect_full, check_connect_full, 0},
	{"inet_refused", NULL, NULL, act_refused, NULL, 0},
	{"inet_accept", prepare_accept, NULL, act_accept, check_accept, 0},
	{"inet_connect_sleeping", prepare_sleeping_accept, NULL, act_connect, check_sleeping_accept, 0},
	{"inet_accept_sleeping", prepare_sleeping_connect, NULL, act_accept, check_sleeping_connect, 0},
	{"inet_close_listener", NULL, own_listener, act_close_listener, NULL, 0},
	{"inet_close_shared", prepare_accept, NULL, act_close_listener, check_shared, 0},
	{"inet_disconnect", make_pair, NULL, act_disconnect, check_pair, 0},
	{"inet_send", make_pair, NULL, act_send, check_pair, 0},
	{"inet_receive", send_some, NULL, act_receive, check_receive, 0},
	{"inet_shutdown", make_pair, NULL, act_shutdown, check_pair, 0},
	{"inet_close", NULL, ready_close, act_close, NULL, 0},
	{"inet_reset", NULL, make_pair, act_reset, NULL, 0},
	{"udp_send", make_receiver, NULL, act_udp, check_udp, 0},
	{"netlink_dump", NULL, NULL, act_netlink, NULL, 0},
	{0},
};
