/* SPDX-License-Identifier: ISC */
/*
 * The processor time of other processes while they live: of one that computes and one that sleeps,
 * in /proc/PID/stat and by their clocks, and the sum in /proc/stat.
 * @test timeout=60 members=3 nosvm
 */
#include "guest.h"

static long ticks(pid_t pid)
{
	char path[64], text[1024], *at;
	unsigned long user = 0, system = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY);
	size_t n = fd < 0 ? 0 : read_all(fd, text, sizeof(text) - 1);
	text[n] = '\0';
	close(fd);
	at = strrchr(text, ')');
	if (!at ||
		sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		die("stat");
	return (long)(user + system);
}

static long all_ticks(void)
{
	unsigned long user = 0, nice = 0, system = 0;
	FILE *file = fopen("/proc/stat", "r");

	if (!file || fscanf(file, "cpu %lu %lu %lu", &user, &nice, &system) != 3)
		die("/proc/stat");
	fclose(file);
	return (long)(user + nice + system);
}

static double clock_of(pid_t pid)
{
	struct timespec now;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &now))
		die("clock");
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(void)
{
	struct gate done, go;
	struct timespec now;
	volatile long n = 0;

	gate_make(&done);
	gate_make(&go);
	long before = all_ticks();
	pid_t sleeper = fork_or_die();
	if (sleeper == 0) {
		gate_wait(&go);
		_exit(0);
	}
	pid_t busy = fork_or_die();
	if (busy == 0) {
		do {
			for (int i = 0; i < 100000; i++)
				n++;
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
		} while (now.tv_sec * 1000 + now.tv_nsec / 1000000 < 400);
		gate_open(&done);
		gate_wait(&go);
		_exit(0);
	}
	/* Seen while it computes: the bound is the runner's. */
	while (ticks(busy) < 10)
		usleep(1000);
	say("it computes");
	gate_wait(&done);
	long at_end = ticks(busy);
	check("busy", at_end >= 38 && clock_of(busy) >= 0.38);
	check("sum", all_ticks() - before >= 38);
	usleep(600000);
	check("asleep again", ticks(busy) - at_end < 40);
	check("sleeper", ticks(sleeper) < 40 && clock_of(sleeper) < 0.4);
	gate_open(&go);
	gate_open(&go);
	child_report("sleeper", sleeper);
	child_report("busy", busy);
	return finish();
}
