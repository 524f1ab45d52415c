/* SPDX-License-Identifier: ISC */
/*
 * Who may bind where: SO_REUSEADDR, SO_REUSEPORT with workers that die, ports that a connection has
 * used, port 0, addresses that overlap, and what TCP and UDP do not share.
 * @test timeout=40 members=3
 */
#include "guest_inet.h"

static char text[8];

static int try_bind(const char *what, int type, int reuse, uint32_t address, int port, bool listens)
{
	struct sockaddr_in a = loopback(port);
	int s = socket_or_die(type), r;

	a.sin_addr.s_addr = htonl(address);
	option_set(s, SOL_SOCKET, SO_REUSEADDR, reuse);
	r = bind(s, (struct sockaddr *)&a, sizeof(a));
	if (!r && listens)
		r = listen(s, 5);
	if (what)
		done(what, r);
	if (r < 0) {
		close(s);
		return -1;
	}
	return s;
}

#define TRY(...) close(try_bind(__VA_ARGS__))

static void addresses(void)
{
	int l = try_bind("first", SOCK_STREAM, 1, INADDR_LOOPBACK, 0, false);
	int port = port_of(l), twice = 0;

	for (int i = 0; i < 50; i++) {
		int s = try_bind(NULL, SOCK_STREAM, 1, INADDR_LOOPBACK, 0, false);
		twice += port_of(s) == port;
		close(s);
	}
	say("given out twice: %d", twice);
	TRY("both reuse, nobody listens", SOCK_STREAM, 1, INADDR_LOOPBACK, port, false);
	TRY("only one reuses", SOCK_STREAM, 0, INADDR_LOOPBACK, port, false);
	int second = try_bind("bound beside it", SOCK_STREAM, 1, INADDR_LOOPBACK, port, false);
	done("the first listens", listen(l, 5));
	done("the second listens", listen(second, 5));
	close(second);
	TRY("beside a listener", SOCK_STREAM, 1, INADDR_LOOPBACK, port, false);
	TRY("any address beside it", SOCK_STREAM, 1, INADDR_ANY, port, false);
	TRY("another address", SOCK_STREAM, 0, INADDR_LOOPBACK + 1, port, true);
	TRY("UDP", SOCK_DGRAM, 0, INADDR_LOOPBACK, port, false);
	close(l);
	TRY("free", SOCK_STREAM, 0, INADDR_LOOPBACK, port, true);
}

/* The side that closed first keeps the port for a while, unless both reuse it. */
static void used(bool reuse, bool client_first)
{
	int l = try_bind(NULL, SOCK_STREAM, reuse, INADDR_LOOPBACK, 0, true), port = port_of(l);
	int c = socket_or_die(SOCK_STREAM), s;

	if (connect_loopback(c, port) < 0)
		die("connect");
	s = accept(l, NULL, NULL);
	close(l);
	TRY("while it is connected", SOCK_STREAM, 0, INADDR_LOOPBACK, port, true);
	TRY("the same, reuse", SOCK_STREAM, 1, INADDR_LOOPBACK, port, true);
	close(client_first ? c : s);
	read(client_first ? s : c, text, 1);
	close(client_first ? s : c);
	usleep(50000);
	TRY("after it", SOCK_STREAM, 0, INADDR_LOOPBACK, port, true);
	TRY("after it, reuse", SOCK_STREAM, 1, INADDR_LOOPBACK, port, true);
}

static int share(const char *what, int port, int on)
{
	int s = socket_or_die(SOCK_STREAM), r;

	option_set(s, SOL_SOCKET, SO_REUSEPORT, on);
	r = bind_loopback(s, port);
	if (!r)
		r = listen(s, 64);
	done(what, r);
	return s;
}

static int served_by(int port)
{
	int c = socket_or_die(SOCK_STREAM), by = -1;

	if (connect_loopback(c, port) == 0 && read(c, text, 1) == 1)
		by = text[0] - '0';
	close(c);
	return by;
}

static void workers(void)
{
	int by[3] = {0}, first = share("first", 0, 1), port = port_of(first);
	pid_t pid[2];

	close(share("without the option", port, 0));
	for (int i = 0; i < 2; i++) {
		int l = i ? share("second", port, 1) : first;
		pid[i] = fork_or_die();
		if (pid[i] == 0) {
			if (i)
				close(first);
			for (;;) {
				int s = accept(l, NULL, NULL);
				char word = (char)('0' + i);
				write(s, &word, 1);
				close(s);
			}
		}
		if (i)
			close(l);
	}
	close(first);
	for (int i = 0; i < 60; i++)
		by[served_by(port) + 1]++;
	say("unserved: %d", by[0]);
	check("both worked", by[1] && by[2]);
	kill(pid[0], SIGKILL);
	child_report("one", pid[0]);
	int other = 0;
	for (int i = 0; i < 20; i++)
		other += served_by(port) == 1;
	say("served by the other: %d", other);
	kill(pid[1], SIGKILL);
	child_report("the other", pid[1]);
	int c = socket_or_die(SOCK_STREAM);
	done("none is left", connect_loopback(c, port));
	close(c);
}

static void twice(void)
{
	int s = try_bind("bind", SOCK_STREAM, 0, INADDR_LOOPBACK, 0, false);

	done("twice", bind_loopback(s, 0));
	int l = listener(5);
	done("from a bound port", connect_loopback(s, port_of(l)));
	int t = try_bind("its port", SOCK_STREAM, 0, INADDR_LOOPBACK, port_of(s), false);
	check("is taken", t < 0);
	close(s);
	close(l);
}

int main(void)
{
	addresses();
	used(false, false);
	used(true, false);
	used(false, true);
	workers();
	twice();
	return finish();
}
