/* SPDX-License-Identifier: ISC */
/*
 * fork_rewrite MIB alive|gone: fork, the parent rewrites all of its memory while the first child
 * lives (or after it is gone), then forks again; the second fork + wait is the figure.
 */
#include "bench.h"

int main(int argc, char **argv)
{
	size_t bytes = (size_t)atoi(argv[1]) << 20;
	int alive = argc > 2 && !strcmp(argv[2], "alive"), hold[2], status;
	double figures[3], writes[3];
	char *p = map_touched(bytes), c;

	for (int round = 0; round < 3; round++) {
		check(pipe(hold) == 0, "pipe");
		pid_t first = fork(), second;
		if (first == 0) {
			close(hold[1]);
			_exit(read(hold[0], &c, 1) < 0);
		}
		close(hold[0]);
		if (!alive) {
			close(hold[1]);
			check(waitpid(first, &status, 0) == first, "wait");
		}
		double start = now_us();
		for (size_t i = 0; i < bytes; i += 4096)
			p[i]++;
		writes[round] = now_us() - start;
		start = now_us();
		second = fork();
		if (second == 0)
			_exit(0);
		check(waitpid(second, &status, 0) == second && status == 0, "wait");
		figures[round] = now_us() - start;
		if (alive) {
			close(hold[1]);
			check(waitpid(first, &status, 0) == first, "wait");
		}
	}
	result("fork_after_rewrite", median(figures, 3), "us");
	result("rewrite", median(writes, 3), "us");
	return 0;
}
