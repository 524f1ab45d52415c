/* SPDX-License-Identifier: ISC */
/*
 * Mappings of files that are larger than what is in them: a touched page takes a page, pages behind
 * the file's end are SIGBUS, come and go with ftruncate, and read zero when they come again.
 * @test timeout=60 members=5
 */
#include "guest.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>

#define GIB (1UL << 30)
#define RW (PROT_READ | PROT_WRITE)

static sigjmp_buf back;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	siglongjmp(back, sig == SIGBUS && info->si_code == BUS_ADRERR ? 1 : 2);
}

static void touch(const char *name, char *p)
{
	int fault = sigsetjmp(back, 1);

	if (!fault)
		*p = 'q';
	say("%s: %s", name, fault == 0 ? "ok" : fault == 1 ? "SIGBUS" : "another signal");
}

static int temporary(void)
{
	char name[] = "/dev/shm/sparseXXXXXX"; /* a tmpfs on Linux too */
	int fd = mkstemp(name);

	if (fd < 0)
		die("mkstemp");
	unlink(name);
	return fd;
}

static void ends(void)
{
	int fd = temporary();
	char *m = mmap(NULL, 16384, RW, MAP_SHARED, fd, 0), c;

	touch("empty", m);
	result("two pages", ftruncate(fd, 8192));
	touch("first", m);
	touch("last byte", m + 8191);
	touch("behind", m + 8192);
	say("file: %zd %c", pread(fd, &c, 1, 8191), c);
	result("one page", ftruncate(fd, 4096));
	touch("cut", m + 4096);
	touch("kept", m + 4095);
	result("three pages", ftruncate(fd, 12288));
	say("again: %d", m[8191]);
	touch("grown", m + 8192);
	result("a part", ftruncate(fd, 100));
	result("whole", ftruncate(fd, 4096));
	say("tail: %d %d", m[0], m[4095]);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		touch("the child's, cut", m + 4096);
		_exit(pwrite(fd, "Z", 1, 50) == 1 ? 2 : 3);
	}
	child_report("child", pid);
	say("the child's: %c", m[50]);
	munmap(m, 16384);
	close(fd);
}

static long blocks(int fd)
{
	struct stat st;

	fstat(fd, &st);
	return (long)st.st_blocks;
}

static void sparse(size_t size)
{
	int fd = temporary();
	char c = 0;

	result("size", ftruncate(fd, (off_t)size));
	char *m = mmap(NULL, size, RW, MAP_SHARED, fd, 0);
	say("%zu GiB: %s", size / GIB, m == MAP_FAILED ? strerror(errno) : "mapped");
	m[size - 1] = 'e';
	m[4096] = 'b';
	say("blocks: %ld", blocks(fd));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		m[size / 2] = 'c';
		_exit(m[size - 1] == 'e' ? 1 : 2);
	}
	child_report("child", pid);
	say("read: %zd %c %c %d", pread(fd, &c, 1, (off_t)(size / 2)), c, m[size / 2], m[size / 4]);
	say("blocks: %ld", blocks(fd));
	for (size_t i = 0; i < MIB; i += 4096)
		m[64 * MIB + i] = 1;
	say("a MiB, in order: %d", blocks(fd) < 32 + 4 * (long)(MIB / 512));
	munmap(m, size);
	close(fd);
}

static void flags(void)
{
	int fd = temporary();

	result("size", ftruncate(fd, 8192));
	char *p = mmap(NULL, 4096, RW, MAP_SHARED_VALIDATE | MAP_POPULATE, fd, 0);

	check("validated", p != MAP_FAILED);
	p = mmap(NULL, 4096, RW, MAP_SHARED_VALIDATE | 1 << 25, fd, 0);
	say("unknown: %s", p == MAP_FAILED ? strerror(errno) : "mapped");
	p = mmap(NULL, 4096, RW, MAP_SHARED | 1 << 25, fd, 0);
	check("not validated", p != MAP_FAILED);
	close(fd);
}

int main(void)
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	ends();
	sparse(1 * GIB);
	sparse(256 * GIB);
	sparse(4096 * GIB);
	flags();
	return finish();
}
