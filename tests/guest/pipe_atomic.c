/* SPDX-License-Identifier: ISC */
/*
 * PIPE_BUF atomicity: four writers put records of up to 4096 bytes into one pipe at once; none is
 * torn.
 * @test timeout=60 members=5
 */
#include "guest.h"
#include <limits.h>

#define WRITERS 4
#define RECORDS 150

int main(void)
{
	static unsigned char record[PIPE_BUF];
	int ends[2], torn = 0, count[WRITERS] = {0}, unordered = 0;
	pid_t pids[WRITERS];

	if (pipe(ends) < 0)
		die("pipe");
	for (int w = 0; w < WRITERS; w++) {
		pids[w] = fork_or_die();
		if (pids[w] == 0) {
			close(ends[0]);
			for (int i = 0; i < RECORDS; i++) {
				memset(record, 'a' + w, sizeof(record));
				record[0] = (unsigned char)w;
				record[1] = (unsigned char)i;
				if (write(ends[1], record, sizeof(record)) != sizeof(record))
					_exit(1);
			}
			_exit(0);
		}
	}
	close(ends[1]);
	while (read_all(ends[0], record, sizeof(record)) == sizeof(record)) {
		int w = record[0];

		if (w >= WRITERS) {
			torn++;
			continue;
		}
		unordered += record[1] != count[w]++;
		for (size_t i = 2; i < sizeof(record); i++)
			if (record[i] != 'a' + w) {
				torn++;
				break;
			}
	}
	say("torn: %d, out of order: %d", torn, unordered);
	for (int w = 0; w < WRITERS; w++) {
		say("records of writer %d: %d", w, count[w]);
		child_report("writer", pids[w]);
	}
	return finish();
}
