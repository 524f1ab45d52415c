/* SPDX-License-Identifier: ISC */
/* fork_wait MIB ROUNDS: fork + _exit + waitpid with MIB of private memory touched. */
#include "bench.h"

int main(int argc, char **argv)
{
	size_t bytes = (size_t)atoi(argv[1]) << 20;
	int rounds = atoi(argv[2]), status;
	double total[1000], resumed[1000];

	check(argc == 3 && rounds > 0 && rounds <= 1000, "arguments");
	if (bytes)
		map_touched(bytes);
	for (int i = -2; i < rounds; i++) {
		double start = now_us(), back;
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		back = now_us();
		check(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "fork");
		if (i >= 0) {
			total[i] = now_us() - start;
			resumed[i] = back - start;
		}
	}
	result("fork_wait", median(total, rounds), "us");
	result("fork_resumed", median(resumed, rounds), "us");
	return 0;
}
