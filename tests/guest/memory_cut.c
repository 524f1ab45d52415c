/* SPDX-License-Identifier: ISC */
/*
 * A file becomes shorter: who else has it mapped gets SIGBUS behind its end, whether it slept or
 * computed meanwhile; as it grows again there are zeros. Holes that MADV_REMOVE makes are
 * everybody's.
 * @test timeout=30 members=26
 */
#include "guest.h"

#include <setjmp.h>

#define PAGE 4096

static sigjmp_buf back;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)context;
	siglongjmp(back, sig == SIGBUS && info->si_code == BUS_ADRERR ? 1 : 2);
}

/* The value, -1: SIGBUS, -2: another signal. */
static int look(volatile char *at)
{
	int how = sigsetjmp(back, 1);

	return how ? -how : *at;
}

/* Sleeps until it is told. */
static void sleeps(char *map, int from, int to)
{
	char c;

	say("child sees %d %d", look(map), look(map + PAGE));
	if (write(to, "x", 1) != 1)
		die("write");
	while (read(from, &c, 1) == 1) {
		say("%c: %d %d", c, look(map), look(map + PAGE));
		if (write(to, "x", 1) != 1)
			die("write");
	}
	_exit(0);
}

/* Looks all the time, for ten seconds at most. */
static void computes(volatile char *map, int to)
{
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	if (look(map + PAGE) != 2 || write(to, "x", 1) != 1)
		die("map");
	if (sigsetjmp(back, 1)) {
		say("SIGBUS while it computes");
		_exit(0);
	}
	do {
		for (unsigned i = 0; i < 100000; i++)
			(void)map[PAGE];
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - begin.tv_sec < 10);
	say("NO SIGBUS");
	_exit(1);
}

static void tell(int to, int from, char what)
{
	char c;

	if (write(to, &what, 1) != 1 || read(from, &c, 1) != 1)
		die("tell");
}

static void file(const char *what, int fd)
{
	int down[2], up[2], status;
	char *map, c;

	say("%s", what);
	if (ftruncate(fd, 2 * PAGE) || pipe(down) || pipe(up))
		die("file");
	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	map[0] = 1;
	map[PAGE] = 2;
	if (!fork()) {
		close(down[1]);
		sleeps(map, down[0], up[1]);
	}
	if (read(up[0], &c, 1) != 1 || ftruncate(fd, PAGE))
		die("ftruncate");
	tell(down[1], up[0], 'c');
	say("parent: %d %d", look(map), look(map + PAGE));
	if (ftruncate(fd, 2 * PAGE))
		die("ftruncate");
	tell(down[1], up[0], 'g');
	map[PAGE] = 3;
	tell(down[1], up[0], 'c');
	if (ftruncate(fd, 10))
		die("ftruncate");
	tell(down[1], up[0], 'c');
	close(down[1]);
	wait(&status);
	if (ftruncate(fd, 2 * PAGE))
		die("ftruncate");
	map[PAGE] = 2;
	if (!fork())
		computes(map, up[1]);
	if (read(up[0], &c, 1) != 1 || ftruncate(fd, PAGE))
		die("ftruncate");
	wait(&status);
	say("status %d", WEXITSTATUS(status));
	close(fd);
}

/* As it is being made. */
static void fresh(void)
{
	int fd = memfd_create("y", 0), status, seen = 0;
	char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	for (unsigned i = 0; i < 20; i++) {
		if (ftruncate(fd, 2 * PAGE))
			die("ftruncate");
		map[PAGE] = 2;
		if (!fork()) {
			for (unsigned k = 0; k < 2000 && look(map + PAGE) != -1; k++)
				usleep(1000);
			_exit(look(map + PAGE) == -1);
		}
		if (ftruncate(fd, PAGE))
			die("ftruncate");
		wait(&status);
		seen += WEXITSTATUS(status);
	}
	say("fresh ones with SIGBUS: %d", seen);
}

static void removed(void)
{
	char *shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *reads = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, open("/etc/passwd", O_RDONLY), 0);
	int fd = open("holes", O_CREAT | O_RDWR, 0644), status;
	char *of_file;

	if (ftruncate(fd, 4 * PAGE))
		die("ftruncate");
	of_file = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memset(shared, 5, 4 * PAGE);
	memset(of_file, 6, 4 * PAGE);
	result("MADV_REMOVE", madvise(shared + PAGE, 2 * PAGE, MADV_REMOVE));
	result("of a file", madvise(of_file + PAGE, PAGE, MADV_REMOVE));
	result("private", madvise(private, PAGE, MADV_REMOVE));
	result("read-only", madvise(reads, PAGE, MADV_REMOVE));
	if (!fork()) {
		say("%d %d %d %d", shared[0], shared[PAGE], shared[2 * PAGE], shared[3 * PAGE]);
		say("%d %d %d", of_file[0], of_file[PAGE], of_file[2 * PAGE]);
		_exit(0);
	}
	wait(&status);
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};

	work_dir();
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	file("a file", open("file", O_CREAT | O_RDWR, 0644));
	file("a memfd", memfd_create("x", 0));
	fresh();
	removed();
	return finish();
}
