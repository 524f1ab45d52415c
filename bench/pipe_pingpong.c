/* SPDX-License-Identifier: ISC */
/* pipe_pingpong ROUNDS: microseconds for one byte there and back between two processes. */
#include "bench.h"

int main(int argc, char **argv)
{
	int rounds = atoi(argv[1]), there[2], back[2], status;
	char c = 'x';

	check(argc == 2 && pipe(there) == 0 && pipe(back) == 0, "pipe");
	pid_t pid = fork();
	if (pid == 0) {
		for (int i = 0; i < rounds + 100; i++)
			check(read(there[0], &c, 1) == 1 && write(back[1], &c, 1) == 1, "child");
		_exit(0);
	}
	double start = 0;
	for (int i = -100; i < rounds; i++) {
		if (i == 0)
			start = now_us();
		check(write(there[1], &c, 1) == 1 && read(back[0], &c, 1) == 1, "parent");
	}
	result("pipe_round_trip", (now_us() - start) / rounds, "us");
	check(waitpid(pid, &status, 0) == pid && status == 0, "wait");
	return 0;
}
