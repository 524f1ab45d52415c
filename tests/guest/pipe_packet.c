/* SPDX-License-Identifier: ISC */
/*
 * Pipes in packet mode (O_DIRECT): a read gets what one write wrote and no more, what it has no
 * room for is gone; how many packets there is room for; packets and bytes mixed; F_SETFL.
 * @test timeout=30 members=4
 */
#include "guest.h"

#include <sys/ioctl.h>

static int fd[2];
static char buf[70000];

static void make(int flags)
{
	if (fd[1]) {
		close(fd[0]);
		close(fd[1]);
	}
	if (pipe2(fd, flags))
		die("pipe2");
}

static void put(const char *text)
{
	write_all(fd[1], text, strlen(text));
}

static void take(size_t room)
{
	memset(buf, 0, 100);
	ssize_t n = read(fd[0], buf, room);
	say("read %zu: %s \"%.20s\"", room, n < 0 ? errno_name(errno) : "ok", buf);
}

static void boundaries(void)
{
	struct iovec two[2] = {{"ab", 2}, {"cd", 2}}, into[2] = {{buf, 1}, {buf + 1, 100}};
	int left = 0;

	make(O_DIRECT | O_NONBLOCK);
	check("the writing end has it", fcntl(fd[1], F_GETFL) & O_DIRECT);
	check("the reading end has not", !(fcntl(fd[0], F_GETFL) & O_DIRECT));
	put("one");
	put("second");
	put("3");
	take(100);
	take(3);
	take(100);
	take(100);
	result("writev", writev(fd[1], two, 2));
	put("next");
	memset(buf, 0, 100);
	result("readv", readv(fd[0], into, 2));
	say("%s", buf);
	ioctl(fd[0], FIONREAD, &left);
	say("left: %d", left);
	take(100);
	result("an empty write", write(fd[1], "", 0));
	take(100);
}

static void mixed(void)
{
	make(O_NONBLOCK);
	put("by");
	put("tes");
	result("F_SETFL", fcntl(fd[1], F_SETFL, O_DIRECT | O_NONBLOCK));
	put("joined"); /* by bytes that have not been read */
	take(100);
	put("packet");
	put("two");
	result("F_SETFL", fcntl(fd[1], F_SETFL, O_NONBLOCK));
	put("more");
	put("bytes");
	take(2);
	take(1);
	take(3);
	put("x");
	take(100);
	put("y");
	fcntl(fd[1], F_SETFL, O_DIRECT | O_NONBLOCK);
	memset(buf, 'z', 4096);
	write_all(fd[1], buf, 4096); /* has a page of its own */
	put("last");
	take(1); /* of bytes, and of the packet behind them nothing */
	take(3);
	take(100);
	take(100);
}

static void large(void)
{
	make(O_DIRECT | O_NONBLOCK);
	memset(buf, 'x', sizeof(buf));
	result("two pages and a half", write(fd[1], buf, 10240));
	for (int i = 0; i < 3; i++)
		result("read", read(fd[0], buf, sizeof(buf)));
	int count = 0;
	while (write(fd[1], "p", 1) == 1)
		count++;
	say("packets: %d, then %s", count, errno_name(errno));
	struct pollfd p = {fd[1], POLLOUT, 0};
	say("room: %d", poll(&p, 1, 0));
	take(100);
	say("room: %d", poll(&p, 1, 0));
	result("one more", write(fd[1], "q", 1));
	result("and another", write(fd[1], "q", 1));
	result("larger", fcntl(fd[1], F_SETPIPE_SZ, 131072));
	for (count = 0; write(fd[1], "p", 1) == 1; count++)
		;
	say("more: %d", count);
	take(100);
	errno = 0;
	result("more than there is room for", write(fd[1], buf, 3 * 4096));
}

/* Two processes: every packet arrives whole and in order, however much the writer waits. */
static int writes(void *arg)
{
	for (int i = 0; i < 3000; i++) {
		size_t n = sizeof(int) * (size_t)(1 + i % 17);

		for (size_t k = 0; k < n / sizeof(int); k++)
			((int *)buf)[k] = i;
		if (write(fd[1], buf, n) != (ssize_t)n)
			return 1;
	}
	return arg != NULL;
}

static void stream(void)
{
	make(O_DIRECT);
	pid_t pid = child_start(writes, NULL);
	int i = 0;
	bool whole = true;

	close(fd[1]);
	for (;; i++) {
		ssize_t n = read(fd[0], buf, sizeof(buf));

		if (n <= 0)
			break;
		whole &= n == (ssize_t)sizeof(int) * (1 + i % 17) && *(int *)buf == i &&
				 ((int *)buf)[n / 4 - 1] == i;
	}
	say("packets: %d", i);
	check("each whole", whole);
	child_report("writer", pid);
	fd[1] = 0;
}

static void fifo(void)
{
	char name[64];

	snprintf(name, sizeof(name), "/tmp/packets-%d", getpid());
	mkfifo(name, 0600);
	fd[0] = open(name, O_RDONLY | O_NONBLOCK);
	fd[1] = open(name, O_WRONLY);
	result("F_SETFL of a FIFO", fcntl(fd[1], F_SETFL, O_DIRECT));
	put("a");
	put("b");
	take(100);
	take(100);
	unlink(name);
}

int main(void)
{
	boundaries();
	mixed();
	large();
	stream();
	fifo();
	return finish();
}
