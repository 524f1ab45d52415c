/* SPDX-License-Identifier: ISC */
/*
 * What a wait costs does not depend on how many idle descriptors are in the list: with 10,000 it
 * takes at most twice the time as with 10, also where others are woken meanwhile.
 * @test timeout=60 members=4
 */
#include "guest.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define MANY 10000
#define FEW 10
#define ROUNDS 100
#define WAITS 100

static int filled(int n)
{
	int ep = epoll_create1(0);

	for (int i = 0; i < n; i++) {
		int fd = eventfd(0, EFD_NONBLOCK);
		struct epoll_event e = {EPOLLIN, {.fd = fd}};

		if (fd < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
			die("no room for an idle one");
	}
	return ep;
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* One round: an event, a wait, the event is taken. */
static double waits_ns(int ep, int fd)
{
	double begin = now_ns();

	for (int i = 0; i < WAITS; i++) {
		struct epoll_event e[8];
		uint64_t n = 1;

		if (write(fd, &n, sizeof(n)) != sizeof(n) || epoll_wait(ep, e, 8, 1000) != 1 ||
			e[0].data.fd != fd || read(fd, &n, sizeof(n)) != sizeof(n))
			die("not the one event");
	}
	return (now_ns() - begin) / WAITS;
}

static double smaller(double a, double b)
{
	return a < b ? a : b;
}

int main(void)
{
	struct rlimit files = {MANY + 1000, MANY + 1000};
	double best_few = 1e12, best_many = 1e12;
	int few, many, fd = eventfd(0, EFD_NONBLOCK);

	if (setrlimit(RLIMIT_NOFILE, &files))
		die("no room for descriptors");
	few = filled(FEW);
	many = filled(MANY);
	for (int i = 0; i < ROUNDS; i++) {
		struct epoll_event e = {EPOLLIN, {.fd = fd}};

		epoll_ctl(few, EPOLL_CTL_ADD, fd, &e);
		best_few = smaller(best_few, waits_ns(few, fd));
		epoll_ctl(few, EPOLL_CTL_DEL, fd, NULL);
		epoll_ctl(many, EPOLL_CTL_ADD, fd, &e);
		best_many = smaller(best_many, waits_ns(many, fd));
		epoll_ctl(many, EPOLL_CTL_DEL, fd, NULL);
	}
	if (getenv("SHOW"))
		say("%d idle: %.0f ns, %d idle: %.0f ns", FEW, best_few, MANY, best_many);
	check("10,000 idle ones cost as much as 10", best_many <= 2 * best_few);
	return finish();
}
