/* SPDX-License-Identifier: ISC */
/*
 * For the tests of the network's price: gives back what it is sent on port 7777, until its client
 * leaves. Arguments: `read` waits in read, `epoll` in epoll_wait with edges or without (`level`),
 * `poll` in poll; `threads` as `level`, while another thread waits for a condition; `datagrams`
 * does it over UDP until an empty one comes.
 * @test timeout=20 members=1
 */
#include "guest_inet.h"
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>

#define PORT 7777

static char buffer[4096];

static int served(int type)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int s = socket_or_die(type), c;

	if (bind(s, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("bind");
	if (type == SOCK_DGRAM)
		return s;
	if (listen(s, 5) < 0 || (c = accept(s, NULL, NULL)) < 0)
		die("accept");
	close(s);
	return c;
}

/* false: that was the end. */
static bool answer(int c)
{
	ssize_t n = read(c, buffer, sizeof(buffer));

	if (n < 0)
		die("read");
	if (n > 0 && write(c, buffer, (size_t)n) != n)
		die("write");
	return n > 0;
}

static void by_epoll(int c, uint32_t how)
{
	struct epoll_event e = {.events = EPOLLIN | how};
	int set = epoll_create1(0);

	if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, c, &e) < 0)
		die("epoll_ctl");
	do {
		if (epoll_wait(set, &e, 1, -1) != 1)
			die("epoll_wait");
	} while (answer(c));
}

static void *wait_for_ever(void *unused)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

	pthread_mutex_lock(&lock);
	for (;;)
		pthread_cond_wait(&never, &lock);
	return unused;
}

/* As redis has threads for work that seldom comes. */
static void beside_a_thread(int c)
{
	pthread_t other;

	if (pthread_create(&other, NULL, wait_for_ever, NULL))
		die("pthread_create");
	by_epoll(c, 0);
}

static void by_poll(int c)
{
	struct pollfd p = {.fd = c, .events = POLLIN};

	do {
		if (poll(&p, 1, -1) != 1)
			die("poll");
	} while (answer(c));
}

static void by_datagrams(int s)
{
	struct sockaddr_storage from;
	socklen_t len;
	ssize_t n;

	for (;;) {
		len = sizeof(from);
		n = recvfrom(s, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &len);
		if (n <= 0)
			break;
		if (sendto(s, buffer, (size_t)n, 0, (struct sockaddr *)&from, len) != n)
			die("sendto");
	}
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	if (!strcmp(how, "read"))
		for (int c = served(SOCK_STREAM); answer(c);)
			;
	else if (!strcmp(how, "epoll"))
		by_epoll(served(SOCK_STREAM), EPOLLET);
	else if (!strcmp(how, "level"))
		by_epoll(served(SOCK_STREAM), 0);
	else if (!strcmp(how, "threads"))
		beside_a_thread(served(SOCK_STREAM));
	else if (!strcmp(how, "poll"))
		by_poll(served(SOCK_STREAM));
	else if (!strcmp(how, "datagrams"))
		by_datagrams(served(SOCK_DGRAM));
	else
		die("an argument: read, epoll, level, poll, threads or datagrams");
	return 0;
}
