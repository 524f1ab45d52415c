/* SPDX-License-Identifier: ISC */
/*
 * The calls that wait with a time-out or a mask, old and new forms made by number, the first
 * versions of eventfd, signalfd and epoll_create, POSIX timers and the old clocks.
 * @test timeout=30 members=1
 */
#include "guest.h"
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>

static volatile sig_atomic_t caught;

static void catch_signal(int number)
{
	caught = number;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double began;

static void times_out(const char *what, long rc)
{
	result(what, rc);
	check("not too early", now() - began >= 0.02);
}

/* Each waits 20 ms for an empty pipe, then finds a byte in it. */
static void polls(int fd)
{
	struct timespec span = {0, 20000000};
	struct timeval old = {0, 20000};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct epoll_event event = {.events = EPOLLIN}, got;
	fd_set set;
	int epoll = (int)syscall(SYS_epoll_create, 1);

	okay("epoll_create", epoll);
	result("epoll_create of nothing", syscall(SYS_epoll_create, 0));
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	FD_ZERO(&set);
	FD_SET(fd, &set);
	began = now();
	times_out("select", syscall(SYS_select, fd + 1, &set, NULL, NULL, &old));
	say("left: %ld %ld, set %d", old.tv_sec, old.tv_usec, FD_ISSET(fd, &set));
	began = now();
	times_out("ppoll", syscall(SYS_ppoll, &p, 1, &span, NULL, 8));
	say("left: %ld %ld", span.tv_sec, span.tv_nsec);
	began = now();
	times_out("epoll_pwait", syscall(SYS_epoll_pwait, epoll, &got, 1, 20, NULL, 8));
	span.tv_nsec = 20000000;
	began = now();
	times_out("epoll_pwait2", syscall(SYS_epoll_pwait2, epoll, &got, 1, &span, NULL, 8));
	began = now();
	times_out("nanosleep", syscall(SYS_nanosleep, &span, NULL));
	close(epoll);
}

static void polls_with_data(int fd)
{
	struct timespec long_span = {20, 0};
	struct timeval old = {20, 0};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct epoll_event event = {.events = EPOLLIN}, got;
	fd_set set;
	int epoll = (int)syscall(SYS_epoll_create, 1);

	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	FD_ZERO(&set);
	FD_SET(fd, &set);
	result("select", syscall(SYS_select, fd + 1, &set, NULL, NULL, &old));
	result("ppoll", syscall(SYS_ppoll, &p, 1, &long_span, NULL, 8));
	result("epoll_pwait", syscall(SYS_epoll_pwait, epoll, &got, 1, -1, NULL, 8));
	result("epoll_pwait2", syscall(SYS_epoll_pwait2, epoll, &got, 1, &long_span, NULL, 8));
	close(epoll);
}

/* A signal that is pending behind the process's mask ends a wait whose own mask lets it in. */
static void masked(int fd)
{
	struct sigaction action = {.sa_handler = catch_signal};
	struct timespec span = {20, 0};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct epoll_event got;
	unsigned long none = 0;
	sigset_t block;
	int epoll = epoll_create1(0);

	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	result("ppoll", syscall(SYS_ppoll, &p, 1, &span, &none, 8));
	say("caught: %s", signal_name(caught));
	caught = 0;
	raise(SIGUSR1);
	result("epoll_pwait", syscall(SYS_epoll_pwait, epoll, &got, 1, -1, &none, 8));
	say("caught: %s", signal_name(caught));
	caught = 0;
	raise(SIGUSR1);
	result("epoll_pwait2", syscall(SYS_epoll_pwait2, epoll, &got, 1, &span, &none, 8));
	say("caught: %s", signal_name(caught));
	result("ppoll wrong size", syscall(SYS_ppoll, &p, 1, &span, &none, 4));
	close(epoll);
}

static void first_versions(void)
{
	uint64_t value = 0;
	unsigned long mask = 1UL << (SIGUSR2 - 1);
	struct {
		uint32_t number;
		char rest[124];
	} info;
	sigset_t block;

	int fd = (int)syscall(SYS_inotify_init);
	okay("inotify_init", fd);
	result("flags", fcntl(fd, F_GETFD));
	close(fd);
	fd = (int)syscall(SYS_eventfd, 5);
	okay("eventfd", fd);
	result("read", read(fd, &value, sizeof(value)));
	say("value %ld flags %x", (long)value, fcntl(fd, F_GETFD));
	close(fd);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR2);
	sigprocmask(SIG_BLOCK, &block, NULL);
	fd = (int)syscall(SYS_signalfd, -1, &mask, 8);
	okay("signalfd", fd);
	raise(SIGUSR2);
	result("read", read(fd, &info, sizeof(info)));
	say("signal %s", signal_name((int)info.number));
	close(fd);
}

static void timers(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	struct itimerspec spec = {{0, 5000000}, {0, 5000000}}, left, stop = {{0, 0}, {0, 0}};
	sigset_t block;
	siginfo_t info;
	int id = -1;

	sigemptyset(&block);
	sigaddset(&block, SIGALRM);
	sigprocmask(SIG_BLOCK, &block, NULL);
	event.sigev_value.sival_int = 42;
	result("timer_create", syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
	result("timer_create wrong clock", syscall(SYS_timer_create, 77, &event, &id));
	result("timer_settime", syscall(SYS_timer_settime, id, 0, &spec, NULL));
	result("sigwaitinfo", sigwaitinfo(&block, &info));
	say("value %d code %d", info.si_value.sival_int, info.si_code == SI_TIMER);
	struct timespec span = {0, 40000000};
	nanosleep(&span, NULL);
	sigwaitinfo(&block, &info);
	check("overruns", syscall(SYS_timer_getoverrun, id) >= 3);
	result("timer_gettime", syscall(SYS_timer_gettime, id, &left));
	check("the interval", left.it_interval.tv_nsec == 5000000 && left.it_value.tv_nsec <= 5000000);
	result("stop", syscall(SYS_timer_settime, id, 0, &stop, NULL));
	syscall(SYS_timer_gettime, id, &left);
	say("stopped: %ld", left.it_value.tv_nsec);
	result("timer_delete", syscall(SYS_timer_delete, id));
	result("timer_delete again", syscall(SYS_timer_delete, id));
	result("timer_gettime deleted", syscall(SYS_timer_gettime, id, &left));
}

static void clocks(void)
{
	struct timeval tv;
	struct timespec ts, fine;
	time_t t = 0;

	clock_gettime(CLOCK_REALTIME, &ts);
	result("gettimeofday", syscall(SYS_gettimeofday, &tv, NULL));
	long told = syscall(SYS_time, &t);
	check("the same second or the next",
		  told == t && t - ts.tv_sec <= 2 && t >= ts.tv_sec - 1 && tv.tv_sec - ts.tv_sec <= 2);
	result("clock_getres", syscall(SYS_clock_getres, CLOCK_MONOTONIC, &fine));
	say("resolution %ld", fine.tv_nsec);
	result("clock_getres wrong", syscall(SYS_clock_getres, 99, &fine));
}

static void accepts(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, "socket");
	bind(listener, (struct sockaddr *)&address, sizeof(address));
	listen(listener, 1);
	connect(client, (struct sockaddr *)&address, sizeof(address));
	int fd = (int)syscall(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	okay("accept4", fd);
	say("flags %d %d", fcntl(fd, F_GETFD), !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	result("accept4 wrong flags", syscall(SYS_accept4, listener, NULL, NULL, 1));
	close(fd);
	close(client);
	close(listener);
}

int main(void)
{
	int ends[2];

	work_dir();
	if (pipe(ends))
		die("pipe");
	polls(ends[0]);
	masked(ends[0]);
	write_all(ends[1], "x", 1);
	polls_with_data(ends[0]);
	first_versions();
	timers();
	clocks();
	accepts();
	return finish();
}
