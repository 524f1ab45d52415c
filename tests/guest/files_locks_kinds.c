/* SPDX-License-Identifier: ISC */
/*
 * Record locks and flock on pipes, sockets, devices and directories; the order in which F_GETLK
 * tells of several conflicts.
 * @test timeout=30 members=11
 */
#define _GNU_SOURCE
#include <sys/file.h>
#include <sys/socket.h>

#include "guest.h"

static int lock(int fd, int command, short type, off_t start, off_t length)
{
	struct flock region = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};

	return fcntl(fd, command, &region);
}

static void kinds(const char *name, int fd)
{
	pid_t pid;

	say("%s", name);
	result("  lock", lock(fd, F_SETLKW, F_WRLCK, 0, 1));
	pid = fork_or_die();
	if (pid == 0) {
		result("  another's", lock(fd, F_SETLK, F_WRLCK, 0, 1));
		result("  another's, beside", lock(fd, F_SETLK, F_WRLCK, 1, 1));
		_exit(0);
	}
	child_report("  child", pid);
	close(dup(fd));
	pid = fork_or_die();
	if (pid == 0) {
		result("  after any close", lock(fd, F_SETLK, F_WRLCK, 0, 2));
		_exit(0);
	}
	child_report("  child", pid);
	result("  gone with its process", lock(fd, F_SETLK, F_WRLCK, 0, 2));
	result("  unlock", lock(fd, F_SETLK, F_UNLCK, 0, 0));
	result("  description's", lock(fd, F_OFD_SETLK, F_WRLCK, 0, 1));
	result("  the process's own against it", lock(fd, F_SETLK, F_WRLCK, 0, 1));
	result("  flock", flock(fd, LOCK_EX | LOCK_NB));
}

static void both_ends(void)
{
	int ends[2], others[2];

	if (pipe(ends) < 0 || pipe(others) < 0)
		die("pipe");
	result("write end", lock(ends[1], F_OFD_SETLK, F_WRLCK, 0, 0));
	result("read end, for writing", lock(ends[0], F_OFD_SETLK, F_WRLCK, 0, 0));
	result("read end, for reading", lock(ends[0], F_OFD_SETLK, F_RDLCK, 0, 0));
	result("another pipe", lock(others[1], F_OFD_SETLK, F_WRLCK, 0, 0));
	close(ends[1]);
	result("read end, once the other is closed", lock(ends[0], F_OFD_SETLK, F_RDLCK, 0, 0));
	close(ends[0]);
	close(others[0]);
	close(others[1]);
}

/* What stands in the way of writing from `from`, one after the other. */
static void walk(int fd, const char *name)
{
	struct flock region;
	off_t from = 0;

	for (int i = 0; i < 8; i++) {
		region = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = from};
		if (fcntl(fd, F_GETLK, &region) < 0)
			die("F_GETLK");
		if (region.l_type == F_UNLCK)
			break;
		say("%s: %ld+%ld type %d", name, (long)region.l_start, (long)region.l_len, region.l_type);
		from = region.l_start + region.l_len;
	}
}

static struct gate first_held, second_held, go;

static int first(void *arg)
{
	int fd = *(int *)arg;

	lock(fd, F_SETLK, F_RDLCK, 40, 5);
	lock(fd, F_SETLK, F_RDLCK, 20, 5);
	lock(fd, F_SETLK, F_RDLCK, 60, 5);
	gate_open(&first_held);
	gate_wait(&second_held);
	lock(fd, F_SETLK, F_RDLCK, 22, 8);
	lock(fd, F_SETLK, F_UNLCK, 42, 1);
	gate_open(&go);
	pause();
	return 0;
}

static int second(void *arg)
{
	int fd = *(int *)arg;

	lock(fd, F_SETLK, F_RDLCK, 30, 1);
	lock(fd, F_SETLK, F_RDLCK, 0, 5);
	gate_open(&second_held);
	pause();
	return 0;
}

int main(void)
{
	int ends[2], pair[2], fd;
	pid_t a, b;

	if (pipe(ends) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		die("pipe, socketpair");
	kinds("pipe", ends[1]);
	kinds("socket", pair[0]);
	kinds("/dev/null", open("/dev/null", O_RDWR));
	kinds("/dev/ptmx", open("/dev/ptmx", O_RDWR | O_NOCTTY));
	work_dir();
	fd = open(".", O_RDONLY);
	result("directory, for reading", lock(fd, F_SETLK, F_RDLCK, 0, 1));
	result("directory, for writing", lock(fd, F_SETLK, F_WRLCK, 0, 1));
	result("directory, flock", flock(fd, LOCK_EX | LOCK_NB));
	both_ends();

	gate_make(&first_held);
	gate_make(&second_held);
	gate_make(&go);
	fd = open("file", O_RDWR | O_CREAT, 0600);
	a = child_start(first, &fd);
	gate_wait(&first_held);
	walk(fd, "one owner");
	b = child_start(second, &fd);
	gate_wait(&go);
	walk(fd, "two owners");
	kill(a, SIGKILL);
	kill(b, SIGKILL);
	child_report("first", a);
	child_report("second", b);
	walk(fd, "none");
	return 0;
}
