/* SPDX-License-Identifier: ISC */
/* Deaths in epoll, inotify, the event descriptors, pseudo-terminals, and what tells owners. */
#include "operations.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static int set, watched, ends[2];

static void add(int to, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	epoll_ctl(to, EPOLL_CTL_ADD, fd, &e);
}

static void make_pipe(void)
{
	if (pipe(ends) < 0)
		die("pipe");
}

static void close_pipe(void)
{
	close(ends[0]);
	close(ends[1]);
}

static void act_epoll(void)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLET};

	set = epoll_create1(0);
	add(set, ends[0]);
	add(set, ends[1]);
	epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &e);
	epoll_ctl(set, EPOLL_CTL_DEL, ends[0], NULL);
}

static void ready_epoll(void)
{
	set = epoll_create1(0);
	add(set, ends[0]);
	write(ends[1], "x", 1);
}

static void act_epoll_wait(void)
{
	struct epoll_event e[4];

	epoll_wait(set, e, 4, 0);
}

static void act_epoll_close(void)
{
	close(set);
}

/* The file goes first: the set forgets it. */
static void ready_epoll_file(void)
{
	close_pipe();
	make_pipe();
	set = epoll_create1(0);
	add(set, ends[0]);
}

static void make_set(void)
{
	set = epoll_create1(0);
	make_pipe();
	add(set, ends[0]);
}

/* The set of PID 1 goes on telling. */
static void check_set(void)
{
	struct epoll_event e[4];

	write(ends[1], "x", 1);
	if (epoll_wait(set, e, 4, 3000) < 1)
		wrong("a shared set of descriptors tells nothing");
	close_pipe();
	close(set);
}

static void act_epoll_shared(void)
{
	struct epoll_event e[4];
	int fd[2];

	pipe(fd);
	add(set, fd[0]);
	add(set, fd[1]);
	epoll_ctl(set, EPOLL_CTL_DEL, fd[1], NULL);
	epoll_wait(set, e, 4, 0);
	close(fd[0]);
}

static void act_eventfd(void)
{
	uint64_t value = 3;
	int fd = eventfd(1, 0);

	write(fd, &value, sizeof(value));
	read(fd, &value, sizeof(value));
	close(fd);
}

static void act_timerfd(void)
{
	struct itimerspec soon = {.it_value.tv_nsec = 1, .it_interval.tv_nsec = 1000000};
	uint64_t value;
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	timerfd_settime(fd, 0, &soon, NULL);
	read(fd, &value, sizeof(value));
}

static void act_signalfd(void)
{
	sigset_t sigs = signal_set(SIGUSR2, 0);
	struct signalfd_siginfo info;

	sigprocmask(SIG_BLOCK, &sigs, NULL);
	int fd = signalfd(-1, &sigs, SFD_NONBLOCK);
	kill(getpid(), SIGUSR2);
	read(fd, &info, sizeof(info));
	read(fd, &info, sizeof(info));
}

static void act_pidfd(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getppid(), 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	poll(&p, 1, 0);
	syscall(SYS_pidfd_getfd, fd, 0, 0);
	syscall(SYS_pidfd_send_signal, fd, SIGURG, NULL, 0);
}

static void act_poll(void)
{
	struct pollfd p[2] = {{.fd = ends[0], .events = POLLIN}, {.fd = ends[1], .events = POLLHUP}};

	poll(p, 2, 3);
}

/* ---- inotify */

static void make_watch(void)
{
	watched = inotify_init1(IN_NONBLOCK);
	if (inotify_add_watch(watched, FOLDER, IN_ALL_EVENTS) < 0)
		die("inotify_add_watch");
}

static void check_watch(void)
{
	char events[4096];

	unlink(FOLDER "/one");
	unlink(FOLDER "/two");
	while (read(watched, events, sizeof(events)) > 0)
		;
	int fd = open(FOLDER "/one", O_CREAT | O_RDWR, 0600);
	close(fd);
	unlink(FOLDER "/one");
	if (read(watched, events, sizeof(events)) <= 0)
		wrong("a watch says nothing any more: %s", errno_name(errno));
	close(watched);
}

static void act_noticed(void)
{
	int fd = open(FOLDER "/one", O_CREAT | O_RDWR, 0600);

	write(fd, "x", 1);
	rename(FOLDER "/one", FOLDER "/two");
	unlink(FOLDER "/two");
}

static void act_watch(void)
{
	int fd = inotify_init1(0);
	int wd = inotify_add_watch(fd, FOLDER, IN_CREATE);

	inotify_add_watch(fd, "/tmp", IN_CREATE);
	inotify_rm_watch(fd, wd);
}

static void ready_watch(void)
{
	make_watch();
	int fd = open(FOLDER "/one", O_CREAT | O_RDWR, 0600);
	close(fd);
	unlink(FOLDER "/one");
}

static void act_watch_read(void)
{
	char events[40];

	read(watched, events, sizeof(events));
	close(watched);
}

/* The watched file goes, and its watch with it. */
static void make_watched_file(void)
{
	int fd = open(FOLDER "/one", O_CREAT | O_RDWR, 0600);

	close(fd);
	watched = inotify_init1(IN_NONBLOCK);
	if (inotify_add_watch(watched, FOLDER "/one", IN_ALL_EVENTS) < 0)
		die("inotify_add_watch");
}

static void act_unlink_watched(void)
{
	unlink(FOLDER "/one");
}

static void check_watched_file(void)
{
	unlink(FOLDER "/one");
	close(watched);
}

/* ---- pseudo-terminals */

static void act_pty(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	char line[20];

	grantpt(master);
	unlockpt(master);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	write(master, "hello\n", 6);
	read(slave, line, sizeof(line));
	write(slave, "there\n", 6);
	close(slave);
}

static void act_pty_session(void)
{
	setsid();
	signal(SIGHUP, SIG_IGN);
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	grantpt(master);
	unlockpt(master);
	open(ptsname(master), O_RDWR);
	close(master);
}

/* ---- owners of files */

static void own(int fd)
{
	fcntl(fd, F_SETOWN, getpid());
	fcntl(fd, F_SETFL, O_ASYNC);
}

static void act_owner(void)
{
	int p[2];

	signal(SIGIO, SIG_IGN);
	signal(SIGRTMIN, SIG_IGN);
	if (pipe(p))
		return;
	own(p[0]);
	fcntl(p[0], F_SETSIG, SIGRTMIN);
	own(ends[0]);
	write(p[1], "x", 1);
	fcntl(p[0], F_SETFL, 0);
	close(p[0]);
	close(p[1]);
}

static volatile sig_atomic_t told;

static void tell(int sig)
{
	(void)sig;
	told++;
}

static void make_owned(void)
{
	make_pipe();
	signal(SIGIO, tell);
	own(ends[0]);
}

static void act_told(void)
{
	signal(SIGIO, SIG_IGN);
	write(ends[1], "x", 1);
}

static void check_told(void)
{
	told = 0;
	write(ends[1], "x", 1);
	if (!told)
		wrong("the owner of a pipe hears nothing any more");
	close_pipe();
	signal(SIGIO, SIG_DFL);
}

static void make_file(void)
{
	close(open(FOLDER "/one", O_CREAT | O_RDWR, 0600));
}

static void act_lease(void)
{
	signal(SIGIO, SIG_IGN);
	int fd = open(FOLDER "/one", O_RDONLY);

	fcntl(fd, F_SETLEASE, F_WRLCK);
	open(FOLDER "/one", O_RDONLY | O_NONBLOCK);
	fcntl(fd, F_SETLEASE, F_UNLCK);
	fcntl(fd, F_SETLEASE, F_RDLCK);
	close(fd);
}

static void check_lease(void)
{
	int fd = open(FOLDER "/one", O_RDWR | O_NONBLOCK);

	if (fd < 0)
		wrong("a dead process holds a lease: %s", errno_name(errno));
	close(fd);
	unlink(FOLDER "/one");
}

static void act_dnotify(void)
{
	signal(SIGIO, SIG_IGN);
	int fd = open(FOLDER, O_RDONLY);

	fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT);
	close(open(FOLDER "/two", O_CREAT | O_RDWR, 0600));
	close(fd);
}

static void check_dnotify(void)
{
	close(open(FOLDER "/two", O_CREAT | O_RDWR, 0600));
	unlink(FOLDER "/two");
}

const struct operation event_operations[] = {
	{"epoll", make_pipe, NULL, act_epoll, close_pipe, 0},
	{"epoll_wait", make_pipe, ready_epoll, act_epoll_wait, close_pipe, 0},
	{"epoll_close", make_pipe, ready_epoll, act_epoll_close, close_pipe, 0},
	{"epoll_file_close", make_pipe, ready_epoll_file, close_pipe, close_pipe, 0},
	{"epoll_shared", make_set, NULL, act_epoll_shared, check_set, 0},
	{"eventfd", NULL, NULL, act_eventfd, NULL, 0},
	{"timerfd", NULL, NULL, act_timerfd, NULL, 0},
	{"signalfd", NULL, NULL, act_signalfd, NULL, 0},
	{"pidfd", NULL, NULL, act_pidfd, NULL, 0},
	{"poll", make_pipe, NULL, act_poll, close_pipe, 0},
	{"inotify_noticed", make_watch, NULL, act_noticed, check_watch, 0},
	{"inotify_watch", NULL, NULL, act_watch, NULL, 0},
	{"inotify_read", NULL, ready_watch, act_watch_read, NULL, 0},
	{"inotify_unlink", make_watched_file, NULL, act_unlink_watched, check_watched_file, 0},
	{"pty", NULL, NULL, act_pty, NULL, 0},
	{"owner", make_pipe, NULL, act_owner, close_pipe, 0},
	{"owner_told", make_owned, NULL, act_told, check_told, 0},
	{"lease", make_file, NULL, act_lease, check_lease, 0},
	{"dnotify", NULL, NULL, act_dnotify, check_dnotify, 0},
	{"pty_session", NULL, NULL, act_pty_session, NULL, 0},
	{0},
};
