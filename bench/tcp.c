/* SPDX-License-Identifier: ISC */
/*
 * tcp pingpong ROUNDS | stream BYTES MIB | connect ROUNDS: TCP over loopback between two processes.
 * Microseconds for one byte there and back; MiB/s in pieces of BYTES; connections per second that
 * are made, accepted, used for nothing and closed.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "bench.h"

static struct sockaddr_in name = {.sin_family = AF_INET};

static int listener(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	socklen_t len = sizeof(name);

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	check(bind(s, (struct sockaddr *)&name, len) == 0 && listen(s, 128) == 0, "listen");
	getsockname(s, (struct sockaddr *)&name, &len);
	return s;
}

static int dial(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	check(connect(s, (struct sockaddr *)&name, sizeof(name)) == 0, "connect");
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return s;
}

static int answer(int l)
{
	int s = accept(l, NULL, NULL), one = 1;

	check(s >= 0, "accept");
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return s;
}

static void end(pid_t pid)
{
	int status;

	check(waitpid(pid, &status, 0) == pid && status == 0, "wait");
}

static void pingpong(int rounds)
{
	int l = listener(), s;
	pid_t pid = fork();
	double start = 0;
	char c = 'x';

	if (pid == 0) {
		s = dial();
		while (read(s, &c, 1) == 1)
			check(write(s, &c, 1) == 1, "write");
		_exit(0);
	}
	s = answer(l);
	for (int i = -100; i < rounds; i++) {
		if (i == 0)
			start = now_us();
		check(write(s, &c, 1) == 1 && read(s, &c, 1) == 1, "round");
	}
	result("tcp_round_trip", (now_us() - start) / rounds, "us");
	close(s);
	end(pid);
}

static void stream(size_t piece, long mib)
{
	static char block[1 << 20];
	size_t left = (size_t)mib << 20;
	int l = listener(), s;
	pid_t pid = fork();

	if (pid == 0) {
		s = dial();
		for (size_t at = 0; at < left; at += piece)
			for (size_t done = 0; done < piece;) {
				ssize_t n = write(s, block, piece - done);
				check(n > 0, "write");
				done += (size_t)n;
			}
		_exit(0);
	}
	s = answer(l);
	double start = now_us();
	while (left) {
		ssize_t n = read(s, block, piece);
		check(n > 0, "read");
		left -= (size_t)n < left ? (size_t)n : left;
	}
	result("tcp_stream", (double)mib / (now_us() - start) * 1e6, "MiB/s");
	close(s);
	end(pid);
}

static void connects(int rounds)
{
	int l = listener();
	pid_t pid = fork();
	double start;

	if (pid == 0) {
		for (int i = 0; i < rounds; i++)
			close(answer(l));
		_exit(0);
	}
	start = now_us();
	for (int i = 0; i < rounds; i++) {
		int s = dial();
		char c;

		check(read(s, &c, 1) == 0, "end");
		close(s);
	}
	result("tcp_connects", rounds / (now_us() - start) * 1e6, "/s");
	end(pid);
}

int main(int argc, char **argv)
{
	check(argc >= 3, "arguments");
	if (!strcmp(argv[1], "stream"))
		stream((size_t)atol(argv[2]), argc > 3 ? atol(argv[3]) : 100);
	else if (!strcmp(argv[1], "connect"))
		connects(atoi(argv[2]));
	else
		pingpong(atoi(argv[2]));
	return 0;
}
