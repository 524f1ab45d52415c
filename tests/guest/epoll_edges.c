/* SPDX-License-Identifier: ISC */
/*
 * Edge triggers of epoll on all that can be waited for, what may be in an interest list and how,
 * and that a sleeper holds nothing: another thread's close is the end of a pipe at once.
 * @test timeout=30 members=6
 */
#include "guest.h"
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static int ep;

static int control(int op, int fd, unsigned events)
{
	struct epoll_event e = {events, {.fd = fd}};

	return epoll_ctl(ep, op, fd, &e);
}

/* All that there is now: the number of events, and all of them together. */
static void show(const char *what)
{
	struct epoll_event e[8];
	unsigned events = 0;
	int n = epoll_wait(ep, e, 8, 0);

	for (int i = 0; i < n; i++)
		events |= e[i].events;
	say("%s: %d, %x", what, n, events);
}

static void begin(const char *what, int fd, unsigned events)
{
	ep = epoll_create1(EPOLL_CLOEXEC);
	okay(what, control(EPOLL_CTL_ADD, fd, events));
	show("at first");
	show("again");
}

static void on_eventfd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t n = 1;

	begin("eventfd", fd, EPOLLIN | EPOLLOUT | EPOLLET);
	write(fd, &n, sizeof(n));
	show("written");
	write(fd, &n, sizeof(n));
	show("written again");
	show("nothing new");
	read(fd, &n, sizeof(n));
	show("read");
	show("nothing new");
	okay("only to read", control(EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET));
	show("empty");
	n = 1;
	write(fd, &n, sizeof(n));
	show("written");
	okay("the same again", control(EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET));
	show("a change is an edge");
	okay("only to write", control(EPOLL_CTL_MOD, fd, EPOLLOUT | EPOLLET));
	show("room");
	write(fd, &n, sizeof(n));
	show("written: no edge for who writes");
	close(fd);
	show("closed");
	close(ep);
}

static void on_pipe(void)
{
	int p[2];
	char text[8];

	pipe2(p, O_NONBLOCK);
	begin("pipe", p[0], EPOLLIN | EPOLLET);
	write(p[1], "ab", 2);
	show("written");
	write(p[1], "cd", 2);
	show("written again");
	read(p[0], text, 1);
	show("read a part");
	close(p[1]);
	show("hung up");
	show("still");
	close(p[0]);
	close(ep);
}

static void on_sockets(int type)
{
	int p[2];
	char text[8];

	socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, p);
	begin("socket", p[0], EPOLLIN | EPOLLET);
	write(p[1], "ab", 2);
	show("written");
	write(p[1], "cd", 2);
	show("written again");
	read(p[0], text, 2);
	show("read a part");
	okay("room, too", control(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLRDHUP | EPOLLOUT | EPOLLET));
	show("both");
	show("nothing new");
	shutdown(p[1], SHUT_WR);
	if (type == SOCK_STREAM)
		show("half closed");
	close(p[1]);
	if (type == SOCK_STREAM)
		show("closed");
	close(p[0]);
	close(ep);
}

static void on_signalfd(void)
{
	struct signalfd_siginfo info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_NONBLOCK);
	begin("signalfd", fd, EPOLLIN | EPOLLET);
	kill(getpid(), SIGUSR1);
	show("a signal");
	show("the same");
	kill(getpid(), SIGUSR2);
	show("another");
	read(fd, &info, sizeof(info));
	show("one taken");
	read(fd, &info, sizeof(info));
	show("both taken");
	close(fd);
	close(ep);
}

static void on_pidfd(void)
{
	int go[2];

	pipe(go);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		char c;

		close(go[1]);
		read(go[0], &c, 1);
		_exit(0);
	}
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	begin("pidfd", fd, EPOLLIN | EPOLLET);
	close(go[1]);
	struct epoll_event e;
	say("it ends: %d, %x", epoll_wait(ep, &e, 1, 5000), e.events & EPOLLIN);
	show("still");
	close(fd);
	waitpid(pid, NULL, 0);
	close(go[0]);
	close(ep);
}

static void on_timer(void)
{
	struct itimerspec every = {{0, 20000000}, {0, 20000000}}, none = {{0, 0}, {0, 0}};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct epoll_event e;
	uint64_t n;

	begin("timer", fd, EPOLLIN | EPOLLET);
	timerfd_settime(fd, 0, &every, NULL);
	say("first: %d", epoll_wait(ep, &e, 1, 5000));
	read(fd, &n, sizeof(n));
	say("second: %d", epoll_wait(ep, &e, 1, 5000));
	read(fd, &n, sizeof(n));
	say("third: %d", epoll_wait(ep, &e, 1, 5000));
	timerfd_settime(fd, 0, &none, NULL);
	show("stopped");
	close(fd);
	close(ep);
}

static void on_nested(void)
{
	int inner = epoll_create1(0), fd = eventfd(0, EFD_NONBLOCK), outer;
	struct epoll_event e;
	uint64_t n = 1;

	ep = inner;
	okay("inner", control(EPOLL_CTL_ADD, fd, EPOLLIN));
	begin("nested", inner, EPOLLIN | EPOLLET);
	outer = ep;
	write(fd, &n, sizeof(n));
	show("written");
	show("nothing new");
	write(fd, &n, sizeof(n));
	show("written again");
	say("inner: %d", epoll_wait(inner, &e, 1, 0));
	show("inner was asked");
	read(fd, &n, sizeof(n));
	say("inner: %d", epoll_wait(inner, &e, 1, 0));
	show("empty");
	ep = inner;
	result("a circle", control(EPOLL_CTL_ADD, outer, EPOLLIN));
	close(outer);
	close(inner);
	close(fd);
}

static void *waiter(void *arg)
{
	struct epoll_event e;

	return (void *)(long)epoll_wait(*(int *)arg, &e, 1, 300);
}

/* Two epolls wait for one counter: an event wakes one of them, or both. */
static void on_exclusive(void)
{
	static const unsigned how[] = {0, EPOLLEXCLUSIVE};

	for (int k = 0; k < 2; k++) {
		int fd = eventfd(0, EFD_NONBLOCK), set[2];
		uint64_t n = 1;
		pthread_t thread[2];
		long woken = 0;
		void *got;

		for (int i = 0; i < 2; i++) {
			ep = set[i] = epoll_create1(0);
			okay("exclusive or not", control(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET | how[k]));
			pthread_create(&thread[i], NULL, waiter, &set[i]);
		}
		pause_ms(100);
		write(fd, &n, sizeof(n));
		for (int i = 0; i < 2; i++) {
			pthread_join(thread[i], &got);
			woken += (long)got;
		}
		say("woken: %ld", woken);
		result("modified", control(EPOLL_CTL_MOD, fd, EPOLLIN));
		result("modified to be exclusive", control(EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLEXCLUSIVE));
		close(fd);
		close(set[0]);
		close(set[1]);
	}
	int fd = eventfd(0, 0), inner = epoll_create1(0);
	ep = epoll_create1(0);
	result("exclusive and urgent", control(EPOLL_CTL_ADD, fd, EPOLLPRI | EPOLLEXCLUSIVE));
	result("exclusive one-shot", control(EPOLL_CTL_ADD, fd, EPOLLONESHOT | EPOLLEXCLUSIVE));
	result("exclusive epoll", control(EPOLL_CTL_ADD, inner, EPOLLIN | EPOLLEXCLUSIVE));
	close(fd);
	close(inner);
	close(ep);
}

static void on_path(const char *path, int flags)
{
	int fd = open(path, flags);

	result(path, control(EPOLL_CTL_ADD, fd, EPOLLIN));
	show("there");
	close(fd);
}

static void on_files(void)
{
	ep = epoll_create1(0);
	on_path("/dev/urandom", O_RDONLY);
	on_path("/dev/random", O_RDONLY);
	on_path("/dev/null", O_RDONLY);
	on_path("/dev/zero", O_RDONLY);
	on_path("/dev/full", O_RDONLY);
	on_path("/proc/self/status", O_RDONLY);
	on_path("/proc/self/maps", O_RDONLY);
	on_path("/proc/self/mounts", O_RDONLY);
	on_path("/proc/meminfo", O_RDONLY);
	on_path("/proc/uptime", O_RDONLY);
	on_path("/proc/sys/kernel/hostname", O_RDONLY);
	on_path("/proc/self/cmdline", O_RDONLY);
	on_path("/proc/self/comm", O_RDONLY);
	on_path("/dev/null", O_PATH);
	on_path("/", O_RDONLY | O_DIRECTORY);
	on_path("/proc", O_RDONLY | O_DIRECTORY);
	int path = open("/", O_PATH);
	struct epoll_event e = {EPOLLIN, {0}};
	result("in a path", epoll_ctl(path, EPOLL_CTL_ADD, ep, &e));
	result("itself", control(EPOLL_CTL_ADD, ep, EPOLLIN));
	int fd = eventfd(0, 0);
	result("not there", control(EPOLL_CTL_DEL, fd, EPOLLIN));
	close(fd);
	close(path);
	close(ep);
}

static void *sleeper(void *arg)
{
	struct epoll_event e;

	return (void *)(long)epoll_wait(*(int *)arg, &e, 1, -1);
}

/* While a thread sleeps in epoll_wait another closes the write end that is in the list. */
static void on_close(void)
{
	int p[2], stop = eventfd(0, 0);
	pthread_t thread;
	uint64_t n = 1;
	void *got;
	char c;

	pipe(p);
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	while (write(p[1], "0123456789abcdef", 16) > 0) /* full: not ready for writing */
		;
	ep = epoll_create1(0);
	okay("full pipe", control(EPOLL_CTL_ADD, p[1], EPOLLOUT));
	okay("stop", control(EPOLL_CTL_ADD, stop, EPOLLIN));
	pthread_create(&thread, NULL, sleeper, &ep);
	pause_ms(50);
	close(p[1]);
	while (read(p[0], &c, 1) > 0) /* ends at once, while the other sleeps */
		;
	say("end of file");
	write(stop, &n, sizeof(n));
	pthread_join(thread, &got);
	say("it slept on: %ld", (long)got);
	close(p[0]);
	close(stop);
	close(ep);
}

/* A socket that is in the list before it is connected. */
static void on_connect(void)
{
	struct sockaddr address = {AF_UNIX, ""};
	socklen_t len = sizeof(address);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), s = socket(AF_UNIX, SOCK_STREAM, 0);

	bind(listener, &address, sizeof(sa_family_t));
	getsockname(listener, &address, &len);
	listen(listener, 4);
	begin("unconnected", s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	okay("connect", connect(s, &address, len));
	show("connected");
	int peer = accept(listener, NULL, NULL);
	show("accepted");
	write(peer, "x", 1);
	show("written");
	close(peer);
	show("closed");
	close(s);
	close(listener);
	close(ep);
}

int main(void)
{
	on_eventfd();
	on_pipe();
	on_sockets(SOCK_STREAM);
	on_sockets(SOCK_DGRAM);
	on_signalfd();
	on_pidfd();
	on_timer();
	on_nested();
	on_exclusive();
	on_files();
	on_close();
	on_connect();
	return finish();
}
