/* SPDX-License-Identifier: ISC */
/*
 * Touches argv[1] MiB of memory, forks argv[2] children that read it all and stay until they have
 * been looked at for a while, and says that it survived.
 * @test timeout=60 members=5
 */
#include "guest.h"

#define LOOKED_AT_MS 400

int main(int argc, char **argv)
{
	size_t size = argc > 1 ? (size_t)atoi(argv[1]) * MIB : MIB;
	int children = argc > 2 ? atoi(argv[2]) : 0;
	volatile char *memory = malloc(size);

	if (!memory)
		die("malloc");
	for (size_t i = 0; i < size; i += 4096)
		memory[i] = 1;
	for (int i = 0; i < children; i++) {
		if (fork_or_die())
			continue;
		long sum = 0;
		for (size_t at = 0; at < size; at += 4096)
			sum += memory[at];
		poll(NULL, 0, LOOKED_AT_MS);
		_exit(sum == (long)(size / 4096) ? 0 : 1);
	}
	for (int i = 0; i < children; i++) {
		int status;

		if (waitpid(-1, &status, 0) < 0 || status != 0)
			die("child");
	}
	say("survived");
	return 0;
}
