/* SPDX-License-Identifier: ISC */
/*
 * timerfd: one shot and periodic, read and poll that wait, absolute times of two clocks, what is
 * left, shared across fork.
 * @test timeout=20 members=3
 */
#include "guest.h"
#include <sys/timerfd.h>

static void arm(int fd, long value_ms, long interval_ms)
{
	struct itimerspec spec = {{interval_ms / 1000, interval_ms % 1000 * 1000000},
							  {value_ms / 1000, value_ms % 1000 * 1000000}};

	okay("settime", timerfd_settime(fd, 0, &spec, NULL));
}

int main(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct itimerspec spec = {{0, 0}, {0, 0}}, old;
	struct pollfd p = {fd, POLLIN, 0};
	uint64_t n = 0;

	okay("create", fd);
	result("disarmed", read(fd, &n, sizeof(n)));
	result("poll", poll(&p, 1, 20));
	int64_t start = clock_ns(CLOCK_MONOTONIC);
	arm(fd, 40, 0);
	result("poll", poll(&p, 1, 5000));
	check("not early", clock_ns(CLOCK_MONOTONIC) - start >= 40000000);
	result("read", read(fd, &n, sizeof(n)));
	say("expirations: %d", (int)n);
	result("again", read(fd, &n, sizeof(n)));
	arm(fd, 10, 10);
	pause_ms(55);
	result("read", read(fd, &n, sizeof(n)));
	check("several", n >= 4 && n < 100);
	arm(fd, 5000, 0);
	okay("gettime", timerfd_gettime(fd, &old));
	check("about five seconds left", old.it_value.tv_sec == 4 && old.it_interval.tv_sec == 0);
	fcntl(fd, F_SETFL, 0);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		pause_ms(50);
		spec.it_value.tv_nsec = 1000000;
		timerfd_settime(fd, 0, &spec, &old);
		_exit(old.it_value.tv_sec == 4 ? 0 : 1);
	}
	result("read until the child sets it", read(fd, &n, sizeof(n)));
	child_report("child", pid);
	int wall = timerfd_create(CLOCK_REALTIME, 0);
	clock_gettime(CLOCK_REALTIME, &spec.it_value);
	spec.it_value.tv_sec -= 1;
	spec.it_interval.tv_sec = 100;
	okay("in the past", timerfd_settime(wall, TFD_TIMER_ABSTIME, &spec, NULL));
	result("read", read(wall, &n, sizeof(n)));
	say("expirations: %d", (int)n);
	check("bad clock", timerfd_create(99, 0) == -1 && errno == EINVAL);
	spec.it_value.tv_nsec = 2000000000;
	check("bad time", timerfd_settime(fd, 0, &spec, NULL) == -1 && errno == EINVAL);
	result("too small", read(fd, &n, 4));
	return finish();
}
