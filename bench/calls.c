/* SPDX-License-Identifier: ISC */
/*
 * calls: nanoseconds of getpid, clock_gettime, and read + write of one byte through a pipe in one
 * thread.
 */
#include "bench.h"

#define CALLS 300000

int main(void)
{
	double t[5];
	int p[2];
	char c = 'x';
	struct timespec ts;

	check(pipe(p) == 0, "pipe");
	for (int r = 0; r < 5; r++) {
		double start = now_us();
		for (int i = 0; i < CALLS; i++)
			getpid();
		t[r] = (now_us() - start) * 1000 / CALLS;
	}
	result("getpid", median(t, 5), "ns");
	for (int r = 0; r < 5; r++) {
		double start = now_us();
		for (int i = 0; i < CALLS; i++)
			clock_gettime(CLOCK_MONOTONIC, &ts);
		t[r] = (now_us() - start) * 1000 / CALLS;
	}
	result("clock_gettime", median(t, 5), "ns");
	for (int r = 0; r < 5; r++) {
		double start = now_us();
		for (int i = 0; i < CALLS; i++)
			check(write(p[1], &c, 1) == 1 && read(p[0], &c, 1) == 1, "pipe");
		t[r] = (now_us() - start) * 1000 / CALLS;
	}
	result("pipe_byte", median(t, 5), "ns");
	return 0;
}
