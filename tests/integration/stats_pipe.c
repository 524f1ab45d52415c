/* SPDX-License-Identifier: ISC */
/*
 * For the statistics: 100 MB through a pipe between two members that both run.
 * @test timeout=60 members=2
 */
#include "guest.h"

#define TOTAL 100000000

int main(void)
{
	static char block[32768];
	long total = 0;
	int ends[2];

	if (pipe(ends) < 0)
		die("pipe");
	pid_t pid = fork_or_die();
	if (pid == 0) {
		close(ends[0]);
		while (total < TOTAL) {
			long size = TOTAL - total < (long)sizeof(block) ? TOTAL - total : (long)sizeof(block);

			write_all(ends[1], block, (size_t)size);
			total += size;
		}
		_exit(0);
	}
	close(ends[1]);
	for (ssize_t got; (got = read(ends[0], block, sizeof(block))) > 0;)
		total += got;
	say("read: %ld", total);
	child_report("writer", pid);
	return finish();
}
