/* SPDX-License-Identifier: ISC */
/*
 * splice and sendfile with stream sockets: both directions, positions, sockets that take less or
 * nothing, ends; what a socket does not take stays in the pipe.
 * @test timeout=30 members=2
 */
#include "guest.h"

#include <sys/sendfile.h>
#include <sys/socket.h>

#define MANY 200000

static int ends[2], sockets[2];

static void show(const char *name, int fd)
{
	char text[64] = "";
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (n < 0 && errno == ENOTSOCK)
		n = read(fd, text, sizeof(text) - 1);
	say("%s: %s", name, n < 0 ? errno_name(errno) : text);
}

static void simple(void)
{
	loff_t at = 2;
	off_t from = 3;
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	write_all(fd, "0123456789", 10);
	result("file to pipe", splice(fd, &at, ends[1], NULL, 5, 0));
	result("pipe to socket", splice(ends[0], NULL, sockets[0], NULL, 4, 0));
	show("socket", sockets[1]);
	show("rest", ends[0]);
	write_all(sockets[0], "from a socket", 13);
	result("socket to pipe", splice(sockets[1], NULL, ends[1], NULL, 64, SPLICE_F_NONBLOCK));
	show("pipe", ends[0]);
	result("empty socket", splice(sockets[1], NULL, ends[1], NULL, 64, SPLICE_F_NONBLOCK));
	result("empty pipe", splice(ends[0], NULL, sockets[0], NULL, 64, SPLICE_F_NONBLOCK));
	result("offset of a socket", splice(sockets[1], &at, ends[1], NULL, 1, 0));
	result("socket to socket", splice(sockets[1], NULL, sockets[0], NULL, 1, 0));
	result("sendfile", sendfile(sockets[0], fd, &from, 4));
	show("socket", sockets[1]);
	result("sendfile from a socket", sendfile(fd, sockets[1], NULL, 4));
	result("sendfile from a pipe", sendfile(sockets[0], ends[0], NULL, 4));
	close(fd);
}

/* The reader takes all in order, whatever the writer's socket takes at once. */
static int reader(void *unused UNUSED)
{
	unsigned char block[4096];
	unsigned sum = 0, at = 0;
	ssize_t n;

	close(sockets[0]);
	while ((n = read(sockets[1], block, sizeof(block))) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			sum += block[i] != (unsigned char)(at * 7 + at / 251);
	say("read %u, wrong %u", at, sum);
	return 0;
}

static void full_socket(void)
{
	unsigned char block[1000];
	unsigned put = 0, moved = 0, full = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets) < 0)
		die("socketpair");
	fcntl(sockets[1], F_SETFL, 0);
	pid_t child = 0;
	while (moved < MANY) {
		while (put < MANY) {
			for (unsigned i = 0; i < sizeof(block); i++)
				block[i] = (unsigned char)((put + i) * 7 + (put + i) / 251);
			if (write(ends[1], block, sizeof(block)) < 0)
				break;
			put += sizeof(block);
		}
		ssize_t n = splice(ends[0], NULL, sockets[0], NULL, 70000, SPLICE_F_NONBLOCK);
		if (n > 0) {
			moved += (unsigned)n;
			continue;
		}
		if (errno != EAGAIN)
			die("splice");
		full++;
		if (!child)
			child = child_start(reader, NULL);
		struct pollfd room = {.fd = sockets[0], .events = POLLOUT};
		poll(&room, 1, -1);
	}
	if (!child)
		child = child_start(reader, NULL);
	close(sockets[0]);
	child_wait(child);
	say("moved %u", moved);
	close(sockets[1]);
}

static void gone(void)
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) < 0)
		die("socketpair");
	signal(SIGPIPE, SIG_IGN);
	write_all(ends[1], "kept", 4);
	close(sockets[1]);
	result("to one that is gone", splice(ends[0], NULL, sockets[0], NULL, 4, 0));
	show("still in the pipe", ends[0]);
	result("from one that is gone", splice(sockets[0], NULL, ends[1], NULL, 4, 0));
	close(sockets[0]);
	int alone = socket(AF_UNIX, SOCK_STREAM, 0);
	write_all(ends[1], "kept", 4);
	result("to one that is not connected", splice(ends[0], NULL, alone, NULL, 4, 0));
	show("still in the pipe", ends[0]);
}

int main(void)
{
	work_dir();
	if (pipe2(ends, O_NONBLOCK) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) < 0)
		die("pipe and sockets");
	simple();
	close(sockets[0]);
	close(sockets[1]);
	full_socket();
	gone();
	return finish();
}
