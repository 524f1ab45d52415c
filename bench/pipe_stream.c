/* SPDX-License-Identifier: ISC */
/*
 * pipe_stream CHUNK TOTAL_MIB: gigabytes per second through a pipe, writer and reader in two
 * processes.
 */
#include "bench.h"

int main(int argc, char **argv)
{
	size_t chunk = strtoul(argv[1], NULL, 0), total = strtoul(argv[2], NULL, 0) << 20, done = 0;
	int p[2], status;

	check(argc == 3 && chunk > 0, "arguments");
	char *buf = malloc(chunk);
	check(buf != NULL && pipe(p) == 0, "pipe");
	memset(buf, 7, chunk);
	pid_t pid = fork();
	if (pid == 0) {
		close(p[0]);
		for (size_t sent = 0; sent < total; sent += chunk) {
			size_t at = 0;
			while (at < chunk) {
				ssize_t n = write(p[1], buf + at, chunk - at);
				check(n > 0, "write");
				at += n;
			}
		}
		_exit(0);
	}
	close(p[1]);
	double start = now_us();
	for (ssize_t n; (n = read(p[0], buf, chunk)) > 0;)
		done += n;
	double us = now_us() - start;
	check(waitpid(pid, &status, 0) == pid && status == 0 && done >= total, "stream");
	result("pipe_stream", done / us / 1000, "GB/s");
	return 0;
}
