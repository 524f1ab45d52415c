/* SPDX-License-Identifier: ISC */
/*
 * Options of TCP sockets that servers set, ways to read (peek, truncate, wait for all, low water),
 * what is queued, what an accepted socket has of its listener, urgent data.
 * @test timeout=30 members=2
 */
#include "guest_inet.h"

static char text[64];

static void show(int s, const char *name, int level, int option)
{
	int value = number_option(s, level, option);

	if (value < 0)
		say("%s: %s", name, net_error(-value));
	else
		say("%s: %d", name, value);
}

static void set(int s, const char *name, int level, int option, int value)
{
	int r = option_set(s, level, option, value);

	say("%s = %d: %s, now %d", name, value, r < 0 ? net_error(errno) : "ok",
		number_option(s, level, option));
}

#define SHOW(s, level, option) show((s), #option, (level), (option))
#define SET(s, level, option, value) set((s), #option, (level), (option), (value))

static void numbers(void)
{
	int s = socket_or_die(SOCK_STREAM);

	SHOW(s, SOL_SOCKET, SO_TYPE);
	SHOW(s, SOL_SOCKET, SO_DOMAIN);
	SHOW(s, SOL_SOCKET, SO_PROTOCOL);
	SHOW(s, SOL_SOCKET, SO_ACCEPTCONN);
	SET(s, SOL_SOCKET, SO_REUSEADDR, 7);
	SET(s, SOL_SOCKET, SO_REUSEPORT, 1);
	SET(s, SOL_SOCKET, SO_KEEPALIVE, 1);
	SET(s, SOL_SOCKET, SO_OOBINLINE, 1);
	SET(s, SOL_SOCKET, SO_RCVLOWAT, 0);
	SET(s, SOL_SOCKET, SO_RCVLOWAT, 100);
	SHOW(s, SOL_SOCKET, SO_SNDBUF);
	SHOW(s, SOL_SOCKET, SO_RCVBUF);
	SET(s, SOL_SOCKET, SO_SNDBUF, 30000);
	SET(s, SOL_SOCKET, SO_RCVBUF, 30000);
	SET(s, SOL_SOCKET, SO_SNDBUF, 1);
	SET(s, SOL_SOCKET, SO_RCVBUF, 1);
	SET(s, IPPROTO_TCP, TCP_NODELAY, 9);
	SET(s, IPPROTO_TCP, TCP_CORK, 1);
	SET(s, IPPROTO_TCP, TCP_KEEPIDLE, 30);
	SET(s, IPPROTO_TCP, TCP_KEEPIDLE, 0);
	SET(s, IPPROTO_TCP, TCP_KEEPINTVL, 32768);
	SET(s, IPPROTO_TCP, TCP_KEEPCNT, 5);
	SET(s, IPPROTO_TCP, TCP_SYNCNT, 3);
	SET(s, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0);
	SET(s, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5);
	SET(s, IPPROTO_TCP, TCP_DEFER_ACCEPT, 30);
	SET(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 12345);
	SET(s, IPPROTO_TCP, TCP_USER_TIMEOUT, -1);
	SHOW(s, IPPROTO_TCP, TCP_QUICKACK);
	SET(s, IPPROTO_TCP, TCP_LINGER2, 20);
	SHOW(s, IPPROTO_TCP, TCP_MAXSEG);
	SET(s, IPPROTO_TCP, TCP_MAXSEG, 1000);
	SET(s, IPPROTO_TCP, TCP_MAXSEG, 10);
	SET(s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 2);
	SET(s, IPPROTO_IP, IP_TOS, 16);
	SET(s, IPPROTO_IP, IP_TTL, 77);
	SET(s, IPPROTO_IP, IP_TTL, 0);
	SET(s, IPPROTO_IP, IP_TTL, -1);
	SHOW(s, IPPROTO_IP, IP_MTU);
	done("none of TCP", option_set(s, IPPROTO_TCP, 99, 1));
	done("a short value", setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &(char){1}, 1));
	done("a level that is none", option_set(s, 77, 1, 1));
	close(s);
}

static void congestion(void)
{
	int s = socket_or_die(SOCK_STREAM);
	char name[16] = "";
	socklen_t len = sizeof(name);

	getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len);
	check("one of some name", name[0] != 0);
	say("length %d", (int)len);
	done("reno", setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	len = sizeof(name);
	getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len);
	say("congestion: %s", name);
	done("none", setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "nonesuch", 8));
	close(s);
}

static int state_of(int s)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return -errno;
	return info.tcpi_state;
}

static void states(void)
{
	int p[2], l = listener(3), s = socket_or_die(SOCK_STREAM);

	say("fresh %d, listening %d", state_of(s), state_of(l));
	tcp_pair(p);
	say("connected %d %d", state_of(p[0]), state_of(p[1]));
	shutdown(p[0], SHUT_WR);
	settle(p[1], POLLRDHUP);
	usleep(10000);
	say("half closed %d %d", state_of(p[0]), state_of(p[1]));
	shutdown(p[1], SHUT_WR);
	usleep(10000);
	say("over %d %d", state_of(p[0]), state_of(p[1]));
	close_pair(p);
	close(s);
	close(l);
}

static void inherited(void)
{
	int l = listener(3), c = socket_or_die(SOCK_STREAM), s;

	option_set(l, IPPROTO_TCP, TCP_NODELAY, 1);
	option_set(l, SOL_SOCKET, SO_KEEPALIVE, 1);
	option_set(l, IPPROTO_TCP, TCP_KEEPIDLE, 44);
	option_set(l, SOL_SOCKET, SO_RCVBUF, 40000);
	connect_loopback(c, port_of(l));
	s = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	SHOW(s, IPPROTO_TCP, TCP_NODELAY);
	SHOW(s, SOL_SOCKET, SO_KEEPALIVE);
	SHOW(s, IPPROTO_TCP, TCP_KEEPIDLE);
	SHOW(s, SOL_SOCKET, SO_RCVBUF);
	SHOW(s, SOL_SOCKET, SO_ACCEPTCONN);
	SHOW(l, SOL_SOCKET, SO_ACCEPTCONN);
	say("flags %#x %#x", fcntl(s, F_GETFL) & O_NONBLOCK, fcntl(s, F_GETFD));
	close(s);
	close(c);
	close(l);
}

static int queued(int s, unsigned long what)
{
	int n = -1;

	return ioctl(s, what, &n) < 0 ? -errno : n;
}

static void reading(void)
{
	int p[2];

	tcp_pair(p);
	told("none there", recv(p[1], text, 4, MSG_DONTWAIT));
	write(p[0], "0123", 4);
	write(p[0], "456789", 6);
	settle(p[1], POLLIN);
	say("queued %d, unsent %d", queued(p[1], FIONREAD), queued(p[0], TIOCOUTQ));
	told("peek", recv(p[1], text, 8, MSG_PEEK));
	say("%.8s", text);
	told("forget", recv(p[1], NULL, 3, MSG_TRUNC));
	told("read", recv(p[1], text, 3, 0));
	say("%.3s, queued %d", text, queued(p[1], FIONREAD));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		usleep(50000);
		write(p[0], "abc", 3);
		usleep(50000);
		write(p[0], "def", 3);
		_exit(0);
	}
	told("wait for all", recv(p[1], text, 10, MSG_WAITALL));
	say("%.10s", text);
	child_report("writer", pid);
	option_set(p[1], SOL_SOCKET, SO_RCVLOWAT, 3);
	write(p[0], "xy", 2);
	usleep(20000);
	ready("below low water", p[1], 0);
	told("without blocking", recv(p[1], text, 8, MSG_DONTWAIT | MSG_PEEK));
	write(p[0], "z", 1);
	usleep(20000);
	ready("at low water", p[1], 0);
	told("read", read(p[1], text, 8));
	struct iovec v[2] = {{text, 2}, {text + 10, 20}};
	struct iovec w[3] = {{"one", 3}, {"", 0}, {"three", 5}};
	told("writev", writev(p[0], w, 3));
	settle(p[1], POLLIN);
	told("readv", readv(p[1], v, 2));
	say("%.2s %.6s", text, text + 10);
	close_pair(p);
}

static volatile sig_atomic_t urgent;

static void on_urgent(int sig)
{
	(void)sig;
	urgent++;
}

static int at_mark(int s)
{
	int at = -1;

	ioctl(s, SIOCATMARK, &at);
	return at;
}

static void urgent_data(void)
{
	int p[2];

	tcp_pair(p);
	signal(SIGURG, on_urgent);
	fcntl(p[1], F_SETOWN, getpid());
	check("owner", fcntl(p[1], F_GETOWN) == getpid());
	write(p[0], "12", 2);
	told("urgent", send(p[0], "abX", 3, MSG_OOB));
	usleep(20000);
	write(p[0], "34", 2);
	usleep(20000);
	check("signalled", urgent == 1);
	ready("urgent", p[1], 0);
	say("mark %d", at_mark(p[1]));
	told("up to the mark", recv(p[1], text, 64, 0));
	say("mark %d", at_mark(p[1]));
	told("the byte", recv(p[1], text, 64, MSG_OOB));
	say("%.1s", text);
	told("once only", recv(p[1], text, 64, MSG_OOB));
	told("the rest", recv(p[1], text, 64, 0));
	say("%.2s", text);
	ready("nothing urgent", p[1], 0);
	option_set(p[1], SOL_SOCKET, SO_OOBINLINE, 1);
	write(p[0], "pq", 2);
	send(p[0], "Y", 1, MSG_OOB);
	write(p[0], "rs", 2);
	usleep(20000);
	told("up to the mark", recv(p[1], text, 64, 0));
	told("with the byte", recv(p[1], text, 64, 0));
	say("%.3s", text);
	told("not out of band", recv(p[1], text, 64, MSG_OOB));
	close_pair(p);
}

/* A small buffer fills up, and is as good as new once it was read. */
static void full(void)
{
	static char block[4096];
	int p[2];
	long sent = 0, got = 0;
	ssize_t n;

	tcp_pair(p);
	option_set(p[0], SOL_SOCKET, SO_SNDBUF, 20000);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	while ((n = write(p[0], block, sizeof(block))) > 0)
		sent += n;
	told("full", n);
	ready("full", p[0], 0);
	while (got < sent) {
		struct pollfd wait = {p[1], POLLIN, 0};
		if (poll(&wait, 1, 5000) != 1)
			break;
		n = read(p[1], block, sizeof(block));
		got += n > 0 ? n : 0;
	}
	check("all arrived", got == sent);
	settle(p[0], POLLOUT);
	ready("empty", p[0], 0);
	close_pair(p);
}

int main(void)
{
	numbers();
	congestion();
	states();
	inherited();
	reading();
	urgent_data();
	full();
	return finish();
}
