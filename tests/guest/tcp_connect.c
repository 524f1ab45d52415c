/* SPDX-License-Identifier: ISC */
/*
 * Connecting: refused, without blocking, to a listener that is full until somebody accepts, names
 * of both ends, time-outs; what bind, connect and listen do not take.
 * @test timeout=40 members=1
 */
#include "guest_inet.h"
#include <sys/epoll.h>

static char text[64];

static int unused_port(void)
{
	int s = socket_or_die(SOCK_STREAM), port;

	if (bind_loopback(s, 0) < 0)
		die("bind");
	port = port_of(s);
	close(s);
	return port;
}

static void refused(void)
{
	int s = socket_or_die(SOCK_STREAM), port = unused_port(), l;

	done("nobody there", connect_loopback(s, port));
	ready("refused", s, 0);
	done("again", connect_loopback(s, port));
	l = socket_or_die(SOCK_STREAM);
	bind_loopback(l, port);
	done("bound only", connect_loopback(s, port));
	listen(l, 1);
	done("listening now", connect_loopback(s, port));
	done("once more", connect_loopback(s, port));
	close(s);
	close(l);
}

static void without_blocking(void)
{
	int l = listener(5), s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	done("connect", connect_loopback(s, port_of(l)));
	ready("made", s, 2000);
	say("error: %d", socket_error(s));
	done("second", connect_loopback(s, port_of(l)));
	done("third", connect_loopback(s, port_of(l)));
	close(s);
	s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	done("refused", connect_loopback(s, unused_port()));
	ready("refused", s, 2000);
	say("error: %s", net_error(socket_error(s)));
	ready("told", s, 0);
	close(s);
	close(l);
}

/* The queue of a listener with backlog 0 takes one; the next waits until that is accepted. */
static void full(void)
{
	int l = listener(0), first = socket_or_die(SOCK_STREAM), port = port_of(l);
	int second = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int e = epoll_create1(0);
	struct epoll_event event = {EPOLLOUT | EPOLLIN | EPOLLET, {.fd = second}}, got = {0};

	done("first", connect_loopback(first, port));
	done("second", connect_loopback(second, port));
	epoll_ctl(e, EPOLL_CTL_ADD, second, &event);
	ready("second waits", second, 100);
	done("second again", connect_loopback(second, port));
	told("write", write(second, "x", 1));
	told("read", read(second, text, 1));
	int s = accept(l, NULL, NULL);
	told("an edge when there is room", epoll_wait(e, &got, 1, 8000));
	say("events: %#x", got.events);
	ready("second", second, 0);
	done("told", connect_loopback(second, port));
	told("write", write(second, "hello", 5));
	int t = accept(l, NULL, NULL);
	told("heard", read(t, text, 8));
	close(s);
	close(t);
	close(first);
	close(second);
	close(e);
	close(l);
}

/* As many are told as there is room for when it becomes more, and one for each that is accepted. */
static void full_raised(void)
{
	int l = listener(0), first = socket_or_die(SOCK_STREAM), port = port_of(l), told_of = 0;
	int e = epoll_create1(0), waiting[3];
	struct epoll_event got;

	connect_loopback(first, port);
	for (int i = 0; i < 3; i++) {
		struct epoll_event event = {EPOLLOUT | EPOLLET, {.fd = i}};

		waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		done("waits", connect_loopback(waiting[i], port));
		epoll_ctl(e, EPOLL_CTL_ADD, waiting[i], &event);
	}
	listen(l, 2);
	while (told_of < 2 && epoll_wait(e, &got, 1, 8000) == 1)
		told_of++;
	say("told: %d", told_of);
	close(accept(l, NULL, NULL));
	while (told_of < 3 && epoll_wait(e, &got, 1, 8000) == 1)
		told_of++;
	say("told: %d", told_of);
	for (int i = 0; i < 3; i++)
		close(waiting[i]);
	close(first);
	close(e);
	close(l);
}

static void full_closed(void)
{
	int l = listener(0), first = socket_or_die(SOCK_STREAM), port = port_of(l);
	int second = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int third = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	connect_loopback(first, port);
	done("second", connect_loopback(second, port));
	done("third", connect_loopback(third, port));
	close(third);
	close(l);
	ready("the listener is gone", second, 8000);
	say("error: %s", net_error(socket_error(second)));
	close(first);
	close(second);
}

static void time_out(void)
{
	struct timeval soon = {0, 200000};
	int l = listener(0), first = socket_or_die(SOCK_STREAM), port = port_of(l);
	int second = socket_or_die(SOCK_STREAM);

	connect_loopback(first, port);
	setsockopt(second, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
	done("no room in time", connect_loopback(second, port));
	done("once more", connect_loopback(second, port));
	close(second);
	setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	done("accept", accept(l, NULL, NULL));
	done("accept, nobody", accept(l, NULL, NULL));
	close(first);
	close(l);
}

static void names(void)
{
	struct sockaddr_in a = {0}, any = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	int l = socket_or_die(SOCK_STREAM), s = socket_or_die(SOCK_STREAM);

	getsockname(s, (struct sockaddr *)&a, &len);
	say("fresh: %s %d, length %d", inet_ntoa(a.sin_addr), ntohs(a.sin_port), (int)len);
	done("peer of a fresh one", getpeername(s, (struct sockaddr *)&a, &len));
	bind(l, (struct sockaddr *)&any, sizeof(any));
	listen(l, 4);
	a = loopback(port_of(l));
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 6);
	done("connect to 127.0.0.7", connect(s, (struct sockaddr *)&a, sizeof(a)));
	getsockname(s, (struct sockaddr *)&a, &len);
	say("from %s", inet_ntoa(a.sin_addr));
	check("a port of its own", ntohs(a.sin_port) >= 32768 && ntohs(a.sin_port) < 61000);
	int port = ntohs(a.sin_port);
	int t = accept(l, (struct sockaddr *)&a, &len);
	say("accepted from %s", inet_ntoa(a.sin_addr));
	check("the same port", ntohs(a.sin_port) == port);
	getsockname(t, (struct sockaddr *)&a, &len);
	say("at %s", inet_ntoa(a.sin_addr));
	check("the listener's port", ntohs(a.sin_port) == port_of(l));
	len = 4;
	done("short", getpeername(t, (struct sockaddr *)&a, &len));
	say("length %d", (int)len);
	close(t);
	close(s);
	close(l);
}

static void wrong_calls(void)
{
	struct sockaddr_in a = loopback(0), far = loopback(80);
	int s = socket_or_die(SOCK_STREAM);

	far.sin_addr.s_addr = htonl(0xc0000201);
	done("bind elsewhere", bind(s, (struct sockaddr *)&far, sizeof(far)));
	done("short bind", bind(s, (struct sockaddr *)&a, 4));
	done("short connect", connect(s, (struct sockaddr *)&a, 8));
	a.sin_family = AF_UNIX;
	done("another family", bind(s, (struct sockaddr *)&a, sizeof(a)));
	done("connect to it", connect(s, (struct sockaddr *)&a, sizeof(a)));
	done("accept of what does not listen", accept(s, NULL, NULL));
	done("listen unbound", listen(s, 1));
	check("it has a port", port_of(s) != 0);
	done("connect of a listener", connect_loopback(s, port_of(s)));
	done("bind of a listener", bind_loopback(s, 0));
	told("send of a listener", send(s, "x", 1, MSG_NOSIGNAL));
	told("read of a listener", read(s, text, 1));
	close(s);
	s = socket_or_die(SOCK_DGRAM);
	done("datagrams do not listen", listen(s, 1));
	done("nor accept", accept(s, NULL, NULL));
	close(s);
	done("a type that is none", socket(AF_INET, 9, 0));
	done("packets in order", socket(AF_INET, SOCK_SEQPACKET, 0));
	done("UDP as a stream", socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
	done("a pair", socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){0}));
}

int main(void)
{
	refused();
	without_blocking();
	full();
	full_raised();
	full_closed();
	time_out();
	names();
	wrong_calls();
	return finish();
}
