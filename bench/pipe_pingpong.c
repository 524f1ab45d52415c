/* SPDX-License-Identifier: ISC */
/*
 * pipe_pingpong ROUNDS [stream|dgram]: microseconds for one byte there and back between two
 * processes, through pipes or AF_UNIX sockets.
 */
#include <sys/socket.h>

#include "bench.h"

/* Both ways: [0] is read, [1] written; a socket pair is used in one direction each. */
static int channel(int fd[2], const char *kind)
{
	if (!kind)
		return pipe(fd);
	return socketpair(AF_UNIX, strcmp(kind, "dgram") == 0 ? SOCK_DGRAM : SOCK_STREAM, 0, fd);
}

int main(int argc, char **argv)
{
	int rounds = atoi(argv[1]), there[2], back[2], status;
	char c = 'x';

	const char *kind = argc > 2 ? argv[2] : NULL;

	check(argc >= 2 && channel(there, kind) == 0 && channel(back, kind) == 0, "channel");
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
	result(kind ? "socket_round_trip" : "pipe_round_trip", (now_us() - start) / rounds, "us");
	check(waitpid(pid, &status, 0) == pid && status == 0, "wait");
	return 0;
}
