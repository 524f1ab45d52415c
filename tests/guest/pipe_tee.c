/* SPDX-License-Identifier: ISC */
/*
 * tee: what it copies and leaves, across the rings' ends, a full and an empty pipe, a blocked one,
 * and its errors. vmsplice in both directions, partial, and its errors.
 * @test timeout=20 members=2
 */
#include "guest.h"

static char block[65536] __attribute__((aligned(4096))), back[65536];

/* The pipe's rest, as text. */
static const char *rest(int fd)
{
	static char text[64];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? errno_name(errno) : text;
}

static void pipe_make(int fd[2])
{
	if (pipe(fd))
		die("pipe");
}

static void copies(void)
{
	int a[2], b[2];

	pipe_make(a);
	pipe_make(b);
	write_all(a[1], "abcdef", 6);
	result("some", tee(a[0], b[1], 4, 0));
	result("more than there is", tee(a[0], b[1], 100, 0));
	say("copied: %s", rest(b[0]));
	say("still there: %s", rest(a[0]));
	result("no length", tee(a[0], b[1], 0, 0));
	result("empty", tee(a[0], b[1], 4, SPLICE_F_NONBLOCK));
	fcntl(b[1], F_SETFL, O_NONBLOCK);
	result("empty, O_NONBLOCK at the other", tee(a[0], b[1], 4, 0));
	fcntl(b[1], F_SETFL, 0);
	write_all(a[1], "x", 1);
	result("itself", tee(a[0], a[1], 1, 0));
	result("read end to write", tee(a[0], b[0], 1, 0));
	result("write end to read", tee(a[1], b[1], 1, 0));
	result("flags", tee(a[0], b[1], 1, 64));
	result("no descriptor", tee(a[0], 99, 1, 0));
	int null = open("/dev/null", O_RDWR);
	result("no pipe", tee(a[0], null, 1, 0));
	write_all(b[1], block, sizeof(block));
	result("full", tee(a[0], b[1], 1, SPLICE_F_NONBLOCK));
	close(b[0]);
	result("nobody reads", tee(a[0], b[1], 1, 0));
	pipe_make(b);
	read_all(a[0], back, 1);
	close(a[1]);
	result("ended", tee(a[0], b[1], 1, 0));
}

/* Rounds of pieces that do not divide the ring: every position of both rings' ends occurs. */
static void wraps(void)
{
	int a[2], b[2], wrong = 0;

	pipe_make(a);
	pipe_make(b);
	for (int i = 0; i < 200; i++) {
		size_t n = 1000 + (size_t)i * 17;
		for (size_t k = 0; k < n; k++)
			block[k] = (char)(k * 7 + (size_t)i);
		write_all(a[1], block, n);
		if (i % 3 == 0) {
			read_all(a[0], back, 100);
			wrong += memcmp(back, block, 100) != 0;
			memmove(block, block + 100, n -= 100);
		}
		wrong += tee(a[0], b[1], n, 0) != (ssize_t)n;
		wrong += read_all(b[0], back, n) != n || memcmp(back, block, n);
		wrong += read_all(a[0], back, n) != n || memcmp(back, block, n);
	}
	say("wrong: %d", wrong);
}

/* A child feeds slowly: tee blocks for the first byte, then ends with the writer. */
static void stream(void)
{
	int a[2], b[2];
	long total = 0, n;
	unsigned sum = 0, twice = 0;

	pipe_make(a);
	pipe_make(b);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		for (int i = 0; i < 2000; i++) {
			memset(block, i, 97);
			write_all(a[1], block, 97);
		}
		_exit(0);
	}
	close(a[1]);
	while ((n = tee(a[0], b[1], sizeof(block), 0)) > 0) {
		total += n;
		read_all(a[0], back, (size_t)n);
		for (long i = 0; i < n; i++)
			sum = sum * 31 + (unsigned char)back[i];
		read_all(b[0], back, (size_t)n);
		for (long i = 0; i < n; i++)
			twice = twice * 31 + (unsigned char)back[i];
	}
	child_report("writer", pid);
	say("total %ld, end %ld, sum %u, twice the same %d", total, n, sum, sum == twice);
}

static void vmsplices(void)
{
	char one[] = "one", two[] = "two";
	struct iovec iov[2] = {{one, 3}, {two, 3}};
	int a[2];

	pipe_make(a);
	result("two pieces", vmsplice(a[1], iov, 2, 0));
	result("a gift", vmsplice(a[1], iov, 1, SPLICE_F_GIFT));
	say("in it: %s", rest(a[0]));
	result("none", vmsplice(a[1], iov, 0, 0));
	result("too many", vmsplice(a[1], iov, 1025, 0));
	result("bad flags", vmsplice(a[1], iov, 1, 16));
	result("bad vector", vmsplice(a[1], (void *)8, 1, 0));
	result("bad base", vmsplice(a[1], &(struct iovec){(void *)8, 3}, 1, 0));
	write_all(a[1], "abcdef", 6);
	iov[0].iov_len = 2;
	result("read end", vmsplice(a[0], iov, 2, 0));
	say("read: %s %s", one, two);
	result("the rest", vmsplice(a[0], iov, 2, 0));
	result("empty", vmsplice(a[0], iov, 2, SPLICE_F_NONBLOCK));
	iov[0] = (struct iovec){block, sizeof(block)};
	result("as much as fits", vmsplice(a[1], iov, 1, 0));
	result("full", vmsplice(a[1], iov, 1, SPLICE_F_NONBLOCK));
	result("all of it", vmsplice(a[0], iov, 1, 0));
	int file = open("/dev/null", O_RDWR);
	result("no pipe", vmsplice(file, iov, 1, 0));
	result("no descriptor", vmsplice(99, iov, 1, 0));
	close(a[0]);
	result("nobody reads", vmsplice(a[1], iov, 1, 0));
	pipe_make(a);
	close(a[1]);
	result("ended", vmsplice(a[0], iov, 1, 0));
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	copies();
	wraps();
	stream();
	vmsplices();
	return finish();
}
