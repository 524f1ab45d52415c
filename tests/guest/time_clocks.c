/* SPDX-License-Identifier: ISC */
/*
 * Clocks: monotonic across forks in both directions, close to each other, nanosleep not early,
 * times and getrusage count a busy child, errors.
 * @test timeout=30 members=12 svm
 */
#include "guest.h"
#include <sys/times.h>

int main(void)
{
	int64_t *shared = shared_memory(4096);
	struct timespec request = {0, 30000000}, wrong = {0, 1000000000}, now;
	int backwards = 0;

	for (int i = 0; i < 10; i++) {
		int64_t before = clock_ns(CLOCK_MONOTONIC);
		pid_t pid = fork_or_die();

		if (pid == 0) {
			shared[0] = clock_ns(CLOCK_MONOTONIC);
			_exit(shared[0] >= before && shared[0] - before < 5000000000 ? 0 : 1);
		}
		backwards += child_wait(pid) != 0;
		backwards += clock_ns(CLOCK_MONOTONIC) < shared[0];
	}
	say("backwards: %d", backwards);
	int64_t last = clock_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < 100000; i++) {
		int64_t next = clock_ns(CLOCK_MONOTONIC);

		backwards += next < last;
		last = next;
	}
	say("backwards: %d", backwards);
	struct timeval day;
	gettimeofday(&day, NULL);
	int64_t real = clock_ns(CLOCK_REALTIME);
	check("gettimeofday agrees",
		  llabs(real / 1000 - (day.tv_sec * 1000000LL + day.tv_usec)) < 1000000);
	check("time agrees", llabs(real / 1000000000 - time(NULL)) <= 1);
	check("this century", real > 1600000000000000000);
	check("boot time", clock_ns(CLOCK_BOOTTIME) >= clock_ns(CLOCK_MONOTONIC) - 1000000000);
	check("raw", clock_ns(CLOCK_MONOTONIC_RAW) > 0);
	check("coarse",
		  llabs(clock_ns(CLOCK_MONOTONIC_COARSE) - clock_ns(CLOCK_MONOTONIC)) < 1000000000);
	int64_t began = clock_ns(CLOCK_MONOTONIC);
	result("nanosleep", nanosleep(&request, NULL));
	check("not early", clock_ns(CLOCK_MONOTONIC) - began >= 30000000);
	clock_gettime(CLOCK_MONOTONIC, &now);
	now.tv_nsec += 10000000;
	if (now.tv_nsec >= 1000000000) {
		now.tv_nsec -= 1000000000;
		now.tv_sec++;
	}
	result("absolute", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &now, NULL));
	check("reached", clock_ns(CLOCK_MONOTONIC) >= now.tv_sec * 1000000000LL + now.tv_nsec);
	result("wrong nanoseconds", nanosleep(&wrong, NULL));
	result("wrong clock", clock_gettime(99, &now));
	result("bad address", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (void *)8));
	result("resolution", clock_getres(CLOCK_MONOTONIC, &now));
	say("a nanosecond: %ld", now.tv_nsec);

	pid_t pid = fork_or_die();
	if (pid == 0) {
		int64_t end = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + 60000000;

		for (int i = 0; i < 100000000 && clock_ns(CLOCK_PROCESS_CPUTIME_ID) < end; i++)
			;
		_exit(0);
	}
	child_report("busy child", pid);
	struct rusage usage;
	result("getrusage", getrusage(RUSAGE_CHILDREN, &usage));
	long used = usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec +
				usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec;
	check("the child's time is counted", used >= 30000 && used < 20000000);
	result("wrong who", getrusage(99, &usage));
	return finish();
}
