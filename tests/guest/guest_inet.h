/* SPDX-License-Identifier: ISC */
/* Names and connections on the loopback interface, for the guest programs about sockets. */
#ifndef UNIFORK_TESTS_GUEST_INET_H
#define UNIFORK_TESTS_GUEST_INET_H

#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Those that guest.h does not name. */
static UNUSED const char *net_error(int number)
{
#define E(name)     \
	{               \
		name, #name \
	}
	static const struct guest_name names[] = {
		E(ECONNREFUSED), E(ECONNRESET), E(ECONNABORTED), E(ENOTCONN),        E(EADDRINUSE),
		E(EINPROGRESS),  E(EALREADY),   E(EADDRNOTAVAIL), E(EDESTADDRREQ),    E(EMSGSIZE),
		E(ENETUNREACH),  E(ENOPROTOOPT), E(EPROTOTYPE),   E(EPROTONOSUPPORT), E(ESOCKTNOSUPPORT),
	};
#undef E
	for (size_t i = 0; i < COUNT(names); i++)
		if (names[i].number == number)
			return names[i].name;
	return errno_name(number);
}

static UNUSED void told(const char *what, long rc)
{
	if (rc < 0)
		say("%s: %s", what, net_error(errno));
	else
		say("%s: %ld", what, rc);
}

static UNUSED void done(const char *what, long rc)
{
	say("%s: %s", what, rc < 0 ? net_error(errno) : "ok");
}

/* GUEST_ADDRESS: another one of this host's, for tests over the network that it is in. */
static UNUSED struct sockaddr_in loopback(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	const char *other = getenv("GUEST_ADDRESS");

	a.sin_addr.s_addr = other ? inet_addr(other) : htonl(INADDR_LOOPBACK);
	return a;
}

static UNUSED int port_of(int s)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	if (getsockname(s, (struct sockaddr *)&a, &len) < 0)
		die("getsockname");
	return ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port
										: ((struct sockaddr_in6 *)&a)->sin6_port);
}

static UNUSED int socket_or_die(int type)
{
	int s = socket(AF_INET, type, 0);

	if (s < 0)
		die("socket");
	return s;
}

static UNUSED int bind_loopback(int s, int port)
{
	struct sockaddr_in a = loopback(port);

	return bind(s, (struct sockaddr *)&a, sizeof(a));
}

static UNUSED int connect_loopback(int s, int port)
{
	struct sockaddr_in a = loopback(port);

	return connect(s, (struct sockaddr *)&a, sizeof(a));
}

static UNUSED int listener(int backlog)
{
	int s = socket_or_die(SOCK_STREAM);

	if (bind_loopback(s, 0) < 0 || listen(s, backlog) < 0)
		die("listen");
	return s;
}

/* A connection: [0] connected, [1] accepted. */
static UNUSED void tcp_pair(int pair[2])
{
	int l = listener(1);

	pair[0] = socket_or_die(SOCK_STREAM);
	if (connect_loopback(pair[0], port_of(l)) < 0)
		die("connect");
	pair[1] = accept(l, NULL, NULL);
	if (pair[1] < 0)
		die("accept");
	close(l);
}

static UNUSED void close_pair(int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

static UNUSED int socket_error(int s)
{
	int error = -1;
	socklen_t len = sizeof(error);

	getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &len);
	return error;
}

/* What poll says of a socket, with all that it could. */
static UNUSED void ready(const char *what, int s, int timeout_ms)
{
	struct pollfd p = {s, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0};
	int n = poll(&p, 1, timeout_ms);
	short r = p.revents;

	say("%s: %d%s%s%s%s%s%s", what, n, r & POLLIN ? " IN" : "", r & POLLOUT ? " OUT" : "",
		r & POLLPRI ? " PRI" : "", r & POLLRDHUP ? " RDHUP" : "", r & POLLHUP ? " HUP" : "",
		r & POLLERR ? " ERR" : "");
}

/* Over loopback a packet is there when send has returned, but Linux's answers may take a moment. */
static UNUSED void settle(int s, short event)
{
	struct pollfd p = {s, event, 0};

	poll(&p, 1, 2000);
}

static UNUSED int number_option(int s, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(s, level, name, &value, &len) < 0 ? -errno : value;
}

static UNUSED int option_set(int s, int level, int name, int value)
{
	return setsockopt(s, level, name, &value, sizeof(value));
}

#endif
