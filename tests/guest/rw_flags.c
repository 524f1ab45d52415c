/* SPDX-License-Identifier: ISC */
/*
 * preadv2 and pwritev2: RWF_APPEND, RWF_NOWAIT, RWF_HIPRI, RWF_DSYNC and RWF_SYNC on files, pipes,
 * sockets, eventfds and devices; what they do to positions, and their errors.
 * @test timeout=20 members=1 nosvm
 */
#include "guest.h"
#include <sys/eventfd.h>
#include <sys/socket.h>

#ifndef RWF_APPEND
#define RWF_HIPRI 1
#define RWF_DSYNC 2
#define RWF_SYNC 4
#define RWF_NOWAIT 8
#define RWF_APPEND 16
#endif
#define RWF_UNKNOWN 0x10000

static char text[64];

static ssize_t out(int fd, const char *data, off_t pos, int flags)
{
	struct iovec iov = {(char *)data, strlen(data)};

	return pwritev2(fd, &iov, 1, pos, flags);
}

static ssize_t in(int fd, size_t size, off_t pos, int flags)
{
	struct iovec iov = {text, size};

	memset(text, 0, sizeof(text));
	return preadv2(fd, &iov, 1, pos, flags);
}

static void files(void)
{
	int fd = open("file", O_RDWR | O_CREAT, 0600), reader = open("file", O_RDONLY);

	result("write", out(fd, "0123456789", 0, 0));
	result("append at 2", out(fd, "ab", 2, RWF_APPEND));
	say("position %ld", (long)lseek(fd, 0, SEEK_CUR));
	result("append at its position", out(fd, "cd", -1, RWF_APPEND));
	say("position %ld", (long)lseek(fd, 0, SEEK_CUR));
	result("not any more", out(fd, "X", 0, RWF_DSYNC));
	result("sync", out(fd, "Y", 1, RWF_SYNC));
	result("hipri", out(fd, "Z", 2, RWF_HIPRI));
	result("all", out(fd, "ef", 3, RWF_APPEND | RWF_DSYNC | RWF_SYNC));
	result("read", in(fd, 63, 0, RWF_HIPRI | RWF_NOWAIT));
	say("file: %s", text);
	result("read at the end", in(fd, 9, 16, RWF_NOWAIT));
	result("unknown", in(fd, 1, 0, RWF_UNKNOWN));
	result("unknown, nothing to do", in(fd, 0, 0, RWF_UNKNOWN));
	result("unknown, no descriptor", in(99, 1, 0, RWF_UNKNOWN));
	result("unknown, not for writing", out(reader, "a", 0, RWF_UNKNOWN));
	result("position -2", in(fd, 1, -2, 0));
	lseek(fd, 0, SEEK_SET);
	result("its own position", in(fd, 3, -1, 0));
	say("position %ld", (long)lseek(fd, 0, SEEK_CUR));
	off_t end = lseek(fd, 0, SEEK_END);
	fcntl(fd, F_SETFL, O_APPEND);
	result("O_APPEND", out(fd, "g", 0, 0));
	check("at the end", lseek(fd, 0, SEEK_END) == end + 1);
}

static void pipes(void)
{
	int fd[2];

	if (pipe(fd))
		die("pipe");
	result("empty", in(fd[0], 1, -1, RWF_NOWAIT));
	result("write", out(fd[1], "abc", -1, RWF_NOWAIT | RWF_APPEND));
	result("position", in(fd[0], 1, 0, RWF_NOWAIT));
	result("unknown", in(fd[0], 1, -1, RWF_UNKNOWN));
	result("read", in(fd[0], 9, -1, RWF_NOWAIT));
	say("got %s", text);
	check("still blocking", !(fcntl(fd[0], F_GETFL) & O_NONBLOCK));
	static char much[65536];
	write_all(fd[1], much, sizeof(much));
	result("full", out(fd[1], "a", -1, RWF_NOWAIT));
}

static void others(void)
{
	int pair[2], event = eventfd(0, 0), zero = open("/dev/zero", O_RDWR);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		die("socketpair");
	result("socket, empty", in(pair[0], 1, -1, RWF_NOWAIT));
	result("socket, write", out(pair[1], "xyz", -1, RWF_NOWAIT));
	result("socket, read", in(pair[0], 9, -1, RWF_NOWAIT));
	result("eventfd, empty", in(event, 8, -1, RWF_NOWAIT));
	eventfd_write(event, 3);
	result("eventfd", in(event, 8, -1, RWF_NOWAIT));
	result("/dev/zero", in(zero, 8, -1, RWF_NOWAIT));
}

int main(void)
{
	work_dir();
	files();
	pipes();
	others();
	return finish();
}
