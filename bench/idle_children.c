/* SPDX-License-Identifier: ISC */
/*
 * idle_children N: forks N children that block, says so, and waits for a line from the driver,
 * which reads the host's free memory meanwhile. Done twice: the first time warms up.
 */
#include "bench.h"

int main(int argc, char **argv)
{
	int n = atoi(argv[1]), hold[2], up[2], status;
	char line[8], c;

	check(argc == 2 && n > 0 && n <= 2000, "arguments");
	for (int round = 0; round < 2; round++) {
		check(pipe(hold) == 0 && pipe(up) == 0, "pipe");
		printf("begin\n");
		fflush(stdout);
		check(fgets(line, sizeof(line), stdin) != NULL, "driver");
		double start = now_us();
		for (int i = 0; i < n; i++) {
			pid_t pid = fork();
			check(pid >= 0, "fork");
			if (pid == 0) {
				close(hold[1]);
				check(write(up[1], "u", 1) == 1, "write");
				_exit(read(hold[0], &c, 1) != 0);
			}
		}
		for (int i = 0; i < n; i++)
			check(read(up[0], &c, 1) == 1, "read");
		result("idle_time", (now_us() - start) / 1000, "ms");
		check(fgets(line, sizeof(line), stdin) != NULL, "driver");
		close(hold[0]);
		close(hold[1]);
		close(up[0]);
		close(up[1]);
		for (int i = 0; i < n; i++)
			check(wait(&status) > 0 && status == 0, "wait");
	}
	return 0;
}
