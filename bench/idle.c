/* SPDX-License-Identifier: ISC */
/* idle SECONDS: a family of four that waits; the driver reads CPU time and exits from outside. */
#include "bench.h"

int main(int argc, char **argv)
{
	int hold[2], status;
	char c;

	check(argc == 2 && pipe(hold) == 0, "pipe");
	for (int i = 0; i < 3; i++) {
		if (fork() == 0) {
			close(hold[1]);
			_exit(read(hold[0], &c, 1) != 0);
		}
	}
	struct timespec t = {atoi(argv[1]), 0};
	nanosleep(&t, NULL);
	close(hold[1]);
	for (int i = 0; i < 3; i++)
		check(wait(&status) > 0, "wait");
	return 0;
}
