/* SPDX-License-Identifier: ISC */
/*
 * epoll over sockets, timers and event counters, from other processes: level, edge, one-shot,
 * nested, closed descriptors.
 * @test timeout=20 members=4
 */
#include "guest.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static void add(int ep, int fd, unsigned events, unsigned tag)
{
	struct epoll_event e = {events, {.u32 = tag}};

	okay("add", epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
}

static void show(const char *what, int ep, int timeout)
{
	struct epoll_event e[8];
	int n = epoll_wait(ep, e, 8, timeout);
	unsigned tags = 0, events = 0;

	for (int i = 0; i < n; i++) {
		tags |= 1u << e[i].data.u32;
		events |= e[i].events;
	}
	say("%s: %d, tags %x, events %x", what, n, tags, events);
}

int main(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), outer = epoll_create1(0), pair[2], one[2];
	int counter = eventfd(0, EFD_NONBLOCK), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec soon = {{0, 0}, {0, 30000000}};
	uint64_t value = 3;
	char text[8];

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, one);
	add(ep, pair[0], EPOLLIN | EPOLLET, 1);
	add(ep, counter, EPOLLIN, 2);
	add(ep, timer, EPOLLIN, 3);
	add(ep, one[0], EPOLLIN | EPOLLONESHOT, 4);
	add(outer, ep, EPOLLIN, 5);
	check("twice",
		  epoll_ctl(ep, EPOLL_CTL_ADD, counter, &(struct epoll_event){0}) == -1 && errno == EEXIST);
	show("nothing", ep, 10);
	timerfd_settime(timer, 0, &soon, NULL);
	show("timer, nested", outer, 5000);
	show("timer", ep, 0);
	read(timer, &value, sizeof(value));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		pause_ms(30);
		write(pair[1], "abc", 3);
		_exit(0);
	}
	show("edge", ep, 5000);
	show("edge is over", ep, 10);
	child_report("writer", pid);
	write(pair[1], "d", 1);
	show("next edge", ep, 0);
	say("read %zd", read(pair[0], text, sizeof(text)));
	value = 3;
	write(counter, &value, sizeof(value));
	show("level", ep, 0);
	show("level again", ep, 0);
	read(counter, &value, sizeof(value));
	say("counter: %d", (int)value);
	write(one[1], "x", 1);
	show("one shot", ep, 0);
	show("has shot", ep, 10);
	struct epoll_event again = {EPOLLIN | EPOLLONESHOT, {.u32 = 6}};
	okay("armed again", epoll_ctl(ep, EPOLL_CTL_MOD, one[0], &again));
	show("one shot", ep, 0);
	close(pair[1]);
	show("hang-up", ep, 0);
	close(pair[0]);
	show("closed", ep, 0);
	return finish();
}
