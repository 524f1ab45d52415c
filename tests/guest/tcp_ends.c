/* SPDX-License-Identifier: ISC */
/*
 * How TCP connections end: half close, close with and without unread bytes, writing to who is gone,
 * SO_LINGER 0, shutdown in all its ways, what poll and the next calls say each time.
 * @test timeout=30 members=1
 */
#include "guest_inet.h"

static char text[64];

static void half_close(void)
{
	int p[2];

	tcp_pair(p);
	ready("fresh", p[0], 0);
	done("shutdown write", shutdown(p[0], SHUT_WR));
	settle(p[1], POLLRDHUP);
	ready("who shut down", p[0], 0);
	ready("the other", p[1], 0);
	told("read of the other", read(p[1], text, 8));
	told("it may write", write(p[1], "answer", 6));
	told("and is heard", read(p[0], text, sizeof(text)));
	told("writing again", send(p[0], "x", 1, MSG_NOSIGNAL));
	done("shutdown again", shutdown(p[0], SHUT_WR));
	done("both now", shutdown(p[1], SHUT_WR));
	settle(p[0], POLLHUP);
	ready("both ends over", p[0], 0);
	done("shutdown of what is over", shutdown(p[0], SHUT_RDWR));
	told("read", read(p[0], text, 8));
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	done("peer name", getpeername(p[0], (struct sockaddr *)&a, &len));
	close_pair(p);
}

static void read_shut(void)
{
	int p[2];

	tcp_pair(p);
	done("shutdown read", shutdown(p[0], SHUT_RD));
	ready("read shut", p[0], 0);
	told("read", read(p[0], text, 8));
	told("the other writes", write(p[1], "still", 5));
	settle(p[0], POLLIN);
	told("and it is heard", read(p[0], text, 8));
	close_pair(p);
}

static void close_clean(void)
{
	int p[2];

	tcp_pair(p);
	write(p[0], "bye", 3);
	close(p[0]);
	settle(p[1], POLLRDHUP);
	ready("closed by the other", p[1], 0);
	told("what it said", read(p[1], text, 8));
	told("the end", read(p[1], text, 8));
	told("first write", send(p[1], "x", 1, MSG_NOSIGNAL));
	settle(p[1], POLLERR);
	ready("after it", p[1], 0);
	told("second write", send(p[1], "x", 1, MSG_NOSIGNAL));
	say("error: %d", socket_error(p[1]));
	told("read", read(p[1], text, 8));
	close(p[1]);
}

static void close_unread(void)
{
	int p[2];

	tcp_pair(p);
	write(p[0], "never read", 10);
	write(p[1], "from the one who resets", 23);
	settle(p[1], POLLIN);
	close(p[1]);
	settle(p[0], POLLERR);
	ready("reset", p[0], 0);
	told("what came before", read(p[0], text, sizeof(text)));
	told("then", read(p[0], text, 8));
	told("and then", read(p[0], text, 8));
	told("write", send(p[0], "x", 1, MSG_NOSIGNAL));
	ready("over", p[0], 0);
	close(p[0]);
}

static void reset_seen_by_write(void)
{
	struct linger now = {1, 0};
	int p[2];

	tcp_pair(p);
	setsockopt(p[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(p[1]);
	settle(p[0], POLLERR);
	ready("SO_LINGER 0", p[0], 0);
	told("write", send(p[0], "x", 1, MSG_NOSIGNAL));
	told("again", send(p[0], "x", 1, MSG_NOSIGNAL));
	told("read", read(p[0], text, 8));
	close(p[0]);
	tcp_pair(p);
	setsockopt(p[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(p[1]);
	settle(p[0], POLLERR);
	say("error: %s", net_error(socket_error(p[0])));
	say("taken: %d", socket_error(p[0]));
	ready("taken", p[0], 0);
	close(p[0]);
}

static volatile sig_atomic_t pipes;

static void on_pipe(int sig)
{
	(void)sig;
	pipes++;
}

static void signals(void)
{
	int p[2], fresh = socket_or_die(SOCK_STREAM);

	signal(SIGPIPE, on_pipe);
	tcp_pair(p);
	shutdown(p[0], SHUT_WR);
	told("write after shutdown", write(p[0], "x", 1));
	say("signals: %d", (int)pipes);
	told("with MSG_NOSIGNAL", send(p[0], "x", 1, MSG_NOSIGNAL));
	say("signals: %d", (int)pipes);
	told("never connected", write(fresh, "x", 1));
	say("signals: %d", (int)pipes);
	told("read of it", read(fresh, text, 1));
	close(fresh);
	close_pair(p);
}

static void closed_listener(void)
{
	int l = listener(4), c = socket_or_die(SOCK_STREAM);

	done("connect", connect_loopback(c, port_of(l)));
	write(c, "hello", 5);
	close(l);
	settle(c, POLLERR);
	ready("never accepted", c, 0);
	told("read", read(c, text, 8));
	close(c);
	l = listener(4);
	c = socket_or_die(SOCK_STREAM);
	connect_loopback(c, port_of(l));
	write(c, "early", 5);
	close(c);
	int s = accept(l, NULL, NULL);
	told("accepted after the client's end", read(s, text, 8));
	told("its end", read(s, text, 8));
	close(s);
	done("shutdown of a listener", shutdown(l, SHUT_RD));
	fcntl(l, F_SETFL, O_NONBLOCK);
	done("accept", accept(l, NULL, NULL));
	ready("a listener no more", l, 0);
	done("listen again", listen(l, 4));
	close(l);
}

static void disconnected(void)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	int p[2], l = listener(4);

	tcp_pair(p);
	done("disconnect", connect(p[0], &none, sizeof(none)));
	settle(p[1], POLLERR);
	told("the other", read(p[1], text, 8));
	told("read", read(p[0], text, 8));
	done("connect elsewhere", connect_loopback(p[0], port_of(l)));
	told("write", write(p[0], "new", 3));
	int s = accept(l, NULL, NULL);
	told("heard", read(s, text, 8));
	close(s);
	close(l);
	close_pair(p);
}

int main(void)
{
	half_close();
	read_shut();
	close_clean();
	close_unread();
	reset_seen_by_write();
	signals();
	closed_listener();
	disconnected();
	return finish();
}
