/* SPDX-License-Identifier: ISC */
/*
 * Edge-triggered epoll over TCP: which events come, and when none does, from connect to reset; the
 * other side is another process, so that nothing is ready by chance.
 * @test timeout=30 members=2
 */
#include "guest_inet.h"
#include <sys/epoll.h>

#define ALL (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)

static int epoll;
static struct gate go, gone;

static const char *names_of(uint32_t events)
{
	static char text[80];

	snprintf(text, sizeof(text), "%s%s%s%s%s%s", events & EPOLLIN ? " IN" : "",
			 events & EPOLLOUT ? " OUT" : "", events & EPOLLPRI ? " PRI" : "",
			 events & EPOLLRDHUP ? " RDHUP" : "", events & EPOLLHUP ? " HUP" : "",
			 events & EPOLLERR ? " ERR" : "");
	return text;
}

/* What there is after a moment in which nothing more comes. */
static void edges(const char *what, int timeout_ms)
{
	struct epoll_event e;
	uint32_t seen = 0;
	int n = epoll_wait(epoll, &e, 1, timeout_ms);

	if (n == 1)
		seen = e.events;
	say("%s:%s", what, n == 1 ? names_of(seen) : n ? " error" : " nothing");
}

static void watch(int fd, uint32_t events)
{
	struct epoll_event e = {events, {.fd = fd}};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll_ctl");
}

/* The other side does its steps one by one. */
static void other(int port)
{
	int s = socket_or_die(SOCK_STREAM);

	if (connect_loopback(s, port) < 0)
		die("connect");
	gate_wait(&go);
	write(s, "one", 3);
	gate_open(&gone);
	gate_wait(&go);
	write(s, "two", 3);
	gate_open(&gone);
	gate_wait(&go);
	send(s, "!", 1, MSG_OOB);
	gate_open(&gone);
	gate_wait(&go);
	shutdown(s, SHUT_WR);
	gate_open(&gone);
	gate_wait(&go);
	close(s);
	gate_open(&gone);
	_exit(0);
}

static void step(const char *what)
{
	gate_open(&go);
	gate_wait(&gone);
	edges(what, 2000);
	edges("no more", 0);
}

static void accepted(void)
{
	int l = listener(4);
	char text[16];

	epoll = epoll_create1(0);
	gate_make(&go);
	gate_make(&gone);
	pid_t pid = fork_or_die();
	if (pid == 0)
		other(port_of(l));
	watch(l, EPOLLIN | EPOLLET);
	edges("a client", 5000);
	edges("no more", 0);
	int s = accept(l, NULL, NULL);
	watch(s, ALL);
	edges("accepted", 0);
	edges("no more", 0);
	step("data");
	step("more, unread");
	told("read", read(s, text, sizeof(text)));
	edges("read", 0);
	step("urgent");
	told("urgent", recv(s, text, 1, MSG_OOB));
	step("its end");
	told("read", read(s, text, sizeof(text)));
	write(s, "answer", 6);
	step("reset");
	told("read", read(s, text, sizeof(text)));
	child_report("other", pid);
	close(s);
	close(l);
	close(epoll);
}

static void connecting(void)
{
	int l = listener(4), s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	epoll = epoll_create1(0);
	watch(s, ALL);
	edges("never connected", 0);
	edges("no more", 0);
	done("connect", connect_loopback(s, port_of(l)));
	edges("connected", 2000);
	edges("no more", 0);
	int t = accept(l, NULL, NULL);
	edges("accepted", 0);
	close(t);
	edges("closed", 2000);
	edges("no more", 0);
	done("shutdown", shutdown(s, SHUT_WR));
	edges("both", 2000);
	close(s);
	int unused = port_of(l);
	close(l);
	s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	watch(s, ALL);
	edges("another", 0);
	done("refused", connect_loopback(s, unused));
	edges("refused", 2000);
	edges("no more", 0);
	close(s);
	close(epoll);
}

/* Room comes back: an edge after the buffer was full, and only then. */
static void room(void)
{
	static char block[16384];
	int p[2];
	long sent = 0, got = 0;

	tcp_pair(p);
	epoll = epoll_create1(0);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	watch(p[0], EPOLLOUT | EPOLLET);
	edges("fresh", 0);
	edges("no more", 0);
	ssize_t n;
	while ((n = write(p[0], block, sizeof(block))) > 0)
		sent += n;
	edges("full", 0);
	while (got < sent && (n = read(p[1], block, sizeof(block))) > 0)
		got += n;
	edges("empty", 2000);
	edges("no more", 0);
	close_pair(p);
	close(epoll);
}

int main(void)
{
	accepted();
	connecting();
	room();
	return finish();
}
