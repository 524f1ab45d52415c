/* SPDX-License-Identifier: ISC */
/*
 * A stream of pages that stops where neither side has much to do: the reader sees the last page,
 * and the writer of a full pipe gets the one page of room that was made, though nothing follows.
 * And a write that fits arrives as one read.
 * @test timeout=60 members=4
 */
#include "guest.h"

#define PAGE 4096
#define ROUNDS 300
#define CAPACITY 65536

static char bytes[CAPACITY];

/* The other side says that it has come as far. */
static void wait_for(int fd)
{
	char c;

	if (read(fd, &c, 1) != 1)
		die("acknowledgement");
}

static void tell(int fd)
{
	write_all(fd, "x", 1);
}

static void read_page(int fd)
{
	for (size_t got = 0; got < PAGE;) {
		ssize_t n = read(fd, bytes, PAGE - got);

		if (n <= 0)
			die("read");
		got += (size_t)n;
	}
}

/* Bursts of 1 to 9 pages; after each the writer waits for the reader to have all of them. */
static void bursts(int data[2], int ack[2])
{
	size_t pages = 0;
	pid_t pid = fork_or_die();

	if (pid == 0) {
		for (int round = 0; round < ROUNDS; round++) {
			for (int page = 0; page <= round % 9; page++)
				write_all(data[1], bytes, PAGE);
			wait_for(ack[0]);
		}
		_exit(0);
	}
	for (int round = 0; round < ROUNDS; round++) {
		for (int page = 0; page <= round % 9; page++, pages++)
			read_page(data[0]);
		tell(ack[1]);
	}
	child_report("writer of bursts", pid);
	say("pages: %zu", pages);
}

/* The writer fills the pipe and blocks; the reader makes one page of room and waits. */
static void room(int data[2], int ack[2])
{
	size_t pages = CAPACITY / PAGE;
	pid_t pid = fork_or_die();

	if (pid == 0) {
		for (int page = 0; page < CAPACITY / PAGE; page++)
			write_all(data[1], bytes, PAGE);
		for (int round = 0; round < ROUNDS; round++) {
			write_all(data[1], bytes, PAGE);
			tell(ack[1]);
		}
		_exit(0);
	}
	for (int round = 0; round < ROUNDS; round++) {
		read_page(data[0]);
		wait_for(ack[0]);
	}
	while (pages--)
		read_page(data[0]);
	child_report("writer into a full pipe", pid);
}

static void whole(int data[2], int ack[2])
{
	int fewer = 0;
	pid_t pid = fork_or_die();

	if (pid == 0) {
		for (int round = 0; round < ROUNDS; round++) {
			if (write(data[1], bytes, CAPACITY) != CAPACITY)
				die("write");
			wait_for(ack[0]);
		}
		_exit(0);
	}
	for (int round = 0; round < ROUNDS; round++) {
		ssize_t n = read(data[0], bytes, CAPACITY);

		fewer += n < CAPACITY;
		for (; n < CAPACITY; n += read(data[0], bytes, CAPACITY - (size_t)n))
			;
		tell(ack[1]);
	}
	child_report("writer of whole rings", pid);
	say("reads that got less than was written: %d", fewer);
}

int main(void)
{
	int data[2], ack[2];

	if (pipe(data) < 0 || pipe(ack) < 0)
		die("pipe");
	bursts(data, ack);
	room(data, ack);
	whole(data, ack);
	return finish();
}
