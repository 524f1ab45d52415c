/* SPDX-License-Identifier: ISC */
/*
 * start BEGIN_NS: time from the driver's clock reading (CLOCK_MONOTONIC) to the first line of main.
 */
#include "bench.h"

int main(int argc, char **argv)
{
	double now = now_us();

	check(argc == 2, "arguments");
	result("start", now - strtod(argv[1], NULL) / 1000, "us");
	return 0;
}
