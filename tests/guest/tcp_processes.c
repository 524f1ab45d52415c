/* SPDX-License-Identifier: ISC */
/*
 * A TCP server and its clients in processes of their own: accept in several workers that share a
 * listener, data both ways in any sizes, half close, end of file, a worker that is killed, and
 * nobody left.
 * @test timeout=40 members=10
 */
#include "guest_inet.h"
#include <sys/epoll.h>

#define WORKERS 3
#define CLIENTS 24
#define BULK (3 * 1000 * 1000)

static int port;

/* Answers each line with its length and the worker's word. */
static void serve(int l)
{
	for (;;) {
		char line[64];
		int s = accept(l, NULL, NULL);
		ssize_t n = s < 0 ? -1 : read(s, line, sizeof(line));
		if (n > 0)
			write_all(s, line, (size_t)n);
		close(s);
	}
}

static int dial(void)
{
	int s = socket_or_die(SOCK_STREAM);

	if (connect_loopback(s, port) < 0)
		die("connect");
	return s;
}

static bool ask(void)
{
	int s = dial();
	char line[64];

	write_all(s, "question", 8);
	bool good = read_all(s, line, sizeof(line)) == 8 && !memcmp(line, "question", 8);
	close(s);
	return good;
}

static void many_workers(void)
{
	int l = listener(64), served = 0;
	pid_t worker[WORKERS];

	port = port_of(l);
	for (int i = 0; i < WORKERS; i++) {
		worker[i] = fork_or_die();
		if (worker[i] == 0)
			serve(l);
	}
	close(l);
	for (int i = 0; i < CLIENTS; i++)
		served += ask();
	say("served: %d", served);
	for (int i = 0; i < WORKERS; i++) {
		kill(worker[i], SIGKILL);
		child_report("a worker", worker[i]);
		if (i < WORKERS - 1)
			check("the others go on", ask());
	}
	int s = socket_or_die(SOCK_STREAM);
	done("nobody left", connect_loopback(s, port));
	close(s);
	int again = socket_or_die(SOCK_STREAM);
	option_set(again, SOL_SOCKET, SO_REUSEADDR, 1);
	done("the port is free again", bind_loopback(again, port));
	close(again);
}

static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 7 + i / 4096);
}

static void bulk(void)
{
	static char block[70001];
	int l = listener(4);

	port = port_of(l);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		int s = dial();
		size_t at = 0;
		while (at < BULK) {
			size_t n = at % sizeof(block) + 1;
			if (n > BULK - at)
				n = BULK - at;
			for (size_t i = 0; i < n; i++)
				block[i] = (char)byte_at(at + i);
			write_all(s, block, n);
			at += n;
		}
		shutdown(s, SHUT_WR);
		ssize_t n = read(s, block, sizeof(block));
		_exit(n == 4 && !memcmp(block, "good", 4) ? 3 : 4);
	}
	int s = accept(l, NULL, NULL);
	size_t at = 0;
	bool good = true;
	for (;;) {
		ssize_t n = read(s, block, sizeof(block));
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			good &= block[i] == (char)byte_at(at + (size_t)i);
		at += (size_t)n;
	}
	say("received: %zu", at);
	check("all bytes are right", good);
	write_all(s, "good", 4);
	child_report("sender", pid);
	close(s);
	close(l);
}

/* A member that dies in the middle: the other end sees its end, and what it sent. */
static void sudden_end(void)
{
	int l = listener(4);
	char text[32];

	port = port_of(l);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		int s = dial();
		write_all(s, "last words", 10);
		pause();
	}
	int s = accept(l, NULL, NULL);
	told("first", read(s, text, 4));
	kill(pid, SIGKILL);
	child_report("killed", pid);
	told("the rest", read(s, text, sizeof(text)));
	told("the end", read(s, text, sizeof(text)));
	ready("ended", s, 1000);
	close(s);
	close(l);
}

/* Descriptors of one connection in two processes: it ends with the last of them. */
static void inherited(void)
{
	int pair[2];
	char text[8];

	tcp_pair(pair);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		close(pair[0]);
		usleep(50000);
		write_all(pair[1], "child", 5);
		_exit(0);
	}
	close(pair[1]);
	told("from the child", read(pair[0], text, sizeof(text)));
	told("its end", read(pair[0], text, sizeof(text)));
	child_report("child", pid);
	close(pair[0]);
}

static void waits_in_epoll(void)
{
	int l = listener(8), e = epoll_create1(0), accepted = 0, ended = 0;
	struct epoll_event event = {EPOLLIN, {.fd = l}}, got;
	pid_t pid[3];

	fcntl(l, F_SETFL, O_NONBLOCK);
	port = port_of(l);
	epoll_ctl(e, EPOLL_CTL_ADD, l, &event);
	for (int i = 0; i < 3; i++) {
		pid[i] = fork_or_die();
		if (pid[i] == 0)
			_exit(ask() ? 0 : 1);
	}
	while (ended < 3 && epoll_wait(e, &got, 1, 10000) == 1) {
		char line[64];
		if (got.data.fd == l) {
			int s = accept4(l, NULL, NULL, SOCK_NONBLOCK);
			if (s < 0)
				continue;
			accepted++;
			event = (struct epoll_event){EPOLLIN | EPOLLRDHUP | EPOLLET, {.fd = s}};
			epoll_ctl(e, EPOLL_CTL_ADD, s, &event);
			continue;
		}
		ssize_t n = read(got.data.fd, line, sizeof(line));
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n > 0)
			write_all(got.data.fd, line, (size_t)n);
		close(got.data.fd);
		ended++;
	}
	say("accepted %d, ended %d", accepted, ended);
	for (int i = 0; i < 3; i++)
		child_report("client", pid[i]);
	close(l);
	close(e);
}

int main(void)
{
	many_workers();
	bulk();
	sudden_end();
	inherited();
	waits_in_epoll();
	return finish();
}
