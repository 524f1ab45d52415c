/* SPDX-License-Identifier: ISC */
/*
 * spawn_wait PROGRAM ROUNDS MIB: posix_spawn of a static program + waitpid, the parent holding MIB.
 */
#include <spawn.h>

#include "bench.h"

extern char **environ;

int main(int argc, char **argv)
{
	int rounds = atoi(argv[2]), status;
	size_t bytes = (size_t)atoi(argv[3]) << 20;
	double total[1000];
	char *args[] = {argv[1], NULL};

	check(argc == 4 && rounds > 0 && rounds <= 1000, "arguments");
	if (bytes)
		map_touched(bytes);
	for (int i = -2; i < rounds; i++) {
		double start = now_us();
		pid_t pid;
		errno = posix_spawn(&pid, argv[1], NULL, NULL, args, environ);
		check(errno == 0 && waitpid(pid, &status, 0) == pid && status == 0, "posix_spawn");
		if (i >= 0)
			total[i] = now_us() - start;
	}
	result("spawn_wait", median(total, rounds), "us");
	return 0;
}
