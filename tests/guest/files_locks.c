/* SPDX-License-Identifier: ISC */
/*
 * fcntl record locks between members: conflicts, F_GETLK, waiting, EDEADLK, release on close and
 * exit, no inheritance.
 * @test timeout=30 members=5
 */
#include "guest.h"

static int lock(int fd, int command, short type, off_t start, off_t length)
{
	struct flock region = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};

	return fcntl(fd, command, &region);
}

static struct gate held, go;

static int holder(void *path)
{
	int fd = open(path, O_RDWR);

	if (lock(fd, F_SETLK, F_WRLCK, 10, 10) < 0)
		return 1;
	gate_open(&held);
	gate_wait(&go);
	return 0;
}

int main(void)
{
	struct flock region = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};

	gate_make(&held);
	gate_make(&go);
	work_dir();
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	pid_t pid = child_start(holder, "file");
	gate_wait(&held);
	result("overlapping", lock(fd, F_SETLK, F_WRLCK, 15, 10));
	result("reading", lock(fd, F_SETLK, F_RDLCK, 15, 1));
	result("beside", lock(fd, F_SETLK, F_WRLCK, 20, 5));
	result("F_GETLK", fcntl(fd, F_GETLK, &region));
	say("found: type %d start %ld length %ld owner %d", region.l_type, (long)region.l_start,
		(long)region.l_len, region.l_pid == pid);
	gate_open(&go);
	result("waits for the holder's exit", lock(fd, F_SETLKW, F_WRLCK, 10, 10));
	child_report("holder", pid);
	int second = open("file", O_RDWR);
	close(second);
	pid = child_start(holder, "file");
	child_report("own locks went with any close", (gate_wait(&held), gate_open(&go), pid));

	/* Deadlock: each holds what the other wants; the second to wait is told. */
	result("first byte", lock(fd, F_SETLK, F_WRLCK, 0, 1));
	pid = fork_or_die();
	if (pid == 0) {
		if (lock(fd, F_SETLK, F_WRLCK, 0, 1) == 0)
			_exit(9);
		if (lock(fd, F_SETLK, F_WRLCK, 1, 1) < 0)
			_exit(1);
		gate_open(&held);
		int first = lock(fd, F_SETLKW, F_WRLCK, 0, 1) < 0 && errno == EDEADLK;
		gate_open(&held);
		lock(fd, F_SETLK, F_UNLCK, 0, 0);
		_exit(first ? 2 : 0);
	}
	gate_wait(&held);
	int rc = lock(fd, F_SETLKW, F_WRLCK, 1, 1);
	bool here = rc < 0 && errno == EDEADLK;
	lock(fd, F_SETLK, F_UNLCK, 0, 0);
	int status = child_wait(pid);
	say("exactly one was told of the deadlock: %d", here + (WEXITSTATUS(status) == 2));
	result("wrong type", lock(fd, F_SETLK, 77, 0, 1));
	int reader = open("file", O_RDONLY);
	result("write lock on a reader", lock(reader, F_SETLK, F_WRLCK, 0, 1));
	return finish();
}
