/* SPDX-License-Identifier: ISC */
/*
 * Twenty megabytes through one pipe with reads and writes of odd sizes; the checksum of both ends
 * agrees.
 * @test timeout=60 members=2
 */
#include "guest.h"

#define TOTAL 20000000

static uint32_t sum_add(uint32_t sum, const unsigned char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sum = (sum ^ bytes[i]) * 16777619u;
	return sum;
}

int main(void)
{
	static unsigned char bytes[100003];
	uint32_t random = 12345, sum = 2166136261u;
	size_t total = 0;
	int ends[2];

	if (pipe(ends) < 0)
		die("pipe");
	pid_t pid = fork_or_die();
	if (pid == 0) {
		close(ends[0]);
		while (total < TOTAL) {
			random = random * 1664525 + 1013904223;
			size_t size = 1 + (random >> 8) % sizeof(bytes);

			if (size > TOTAL - total)
				size = TOTAL - total;
			for (size_t i = 0; i < size; i++)
				bytes[i] = (unsigned char)((total + i) * 31 >> 3);
			write_all(ends[1], bytes, size);
			sum = sum_add(sum, bytes, size);
			total += size;
		}
		say("written: %zu sum %08x", total, sum);
		_exit(0);
	}
	close(ends[1]);
	for (;;) {
		random = random * 22695477 + 1;
		ssize_t got = read(ends[0], bytes, 1 + (random >> 8) % sizeof(bytes));

		if (got < 0)
			die("read");
		if (got == 0)
			break;
		sum = sum_add(sum, bytes, (size_t)got);
		total += (size_t)got;
	}
	child_report("writer", pid);
	say("read: %zu sum %08x", total, sum);
	return finish();
}
