/* SPDX-License-Identifier: ISC */
/*
 * touch: mean microseconds of a first touch and of a copy-on-write fault, over 64 MiB of 4 KiB
 * pages.
 */
#include "bench.h"

#define BYTES (64u << 20)

int main(void)
{
	double first[3], cow[3];
	int hold[2], status;
	char c;

	for (int r = 0; r < 3; r++) {
		char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		check(p != MAP_FAILED && pipe(hold) == 0, "mmap");
		double start = now_us();
		for (size_t i = 0; i < BYTES; i += 4096)
			p[i] = 1;
		first[r] = (now_us() - start) / (BYTES / 4096);
		pid_t pid = fork();
		if (pid == 0) {
			close(hold[1]);
			_exit(read(hold[0], &c, 1) != 0);
		}
		close(hold[0]);
		start = now_us();
		for (size_t i = 0; i < BYTES; i += 4096)
			p[i] = 2;
		cow[r] = (now_us() - start) / (BYTES / 4096);
		close(hold[1]);
		check(waitpid(pid, &status, 0) == pid && status == 0, "wait");
		munmap(p, BYTES);
	}
	result("first_touch", median(first, 3), "us");
	result("cow_fault", median(cow, 3), "us");
	return 0;
}
