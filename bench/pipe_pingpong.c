/* SPDX-License-Identifier: ISC */
/*
 * pipe_pingpong ROUNDS [stream|dgram|eventfd|epoll]: microseconds for a wake-up there and back
 * between two processes, through pipes, AF_UNIX sockets, eventfds, or eventfds behind an epoll.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "bench.h"

/* Both ways: [0] is read, [1] written; a socket pair is used in one direction each. */
static int channel(int fd[2], const char *kind)
{
	if (!kind)
		return pipe(fd);
	if (kind[0] == 'e')
		return (fd[0] = fd[1] = eventfd(0, 0)) < 0;
	return socketpair(AF_UNIX, strcmp(kind, "dgram") == 0 ? SOCK_DGRAM : SOCK_STREAM, 0, fd);
}

static int epoll_of(int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(0);

	check(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll");
	return epoll;
}

/* One byte, or an eventfd's eight; epoll: -1, or what to wait with first. */
static void receive(int fd, int epoll, size_t size)
{
	struct epoll_event event;
	uint64_t word;

	check(epoll < 0 || epoll_wait(epoll, &event, 1, -1) == 1, "epoll_wait");
	check(read(fd, &word, size) == (ssize_t)size, "read");
}

static void send_one(int fd, size_t size)
{
	uint64_t word = 1;

	check(write(fd, &word, size) == (ssize_t)size, "write");
}

static const char *metric(const char *kind)
{
	if (!kind)
		return "pipe_round_trip";
	return kind[0] == 'e' ? "event_round_trip" : "socket_round_trip";
}

int main(int argc, char **argv)
{
	int rounds = atoi(argv[1]), there[2], back[2], status;
	const char *kind = argc > 2 ? argv[2] : NULL;
	bool polls = kind && strcmp(kind, "epoll") == 0;
	size_t size = kind && kind[0] == 'e' ? 8 : 1;

	check(argc >= 2 && channel(there, kind) == 0 && channel(back, kind) == 0, "channel");
	pid_t pid = fork();
	int in = pid == 0 ? there[0] : back[0], epoll = polls ? epoll_of(in) : -1;
	if (pid == 0) {
		for (int i = 0; i < rounds + 100; i++) {
			receive(in, epoll, size);
			send_one(back[1], size);
		}
		_exit(0);
	}
	double start = 0;
	for (int i = -100; i < rounds; i++) {
		if (i == 0)
			start = now_us();
		send_one(there[1], size);
		receive(in, epoll, size);
	}
	result(metric(kind), (now_us() - start) / rounds, "us");
	check(waitpid(pid, &status, 0) == pid && status == 0, "wait");
	return 0;
}
