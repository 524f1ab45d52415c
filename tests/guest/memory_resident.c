/* SPDX-License-Identifier: ISC */
/*
 * Which pages mincore calls resident: those that were touched, not those that only are mapped;
 * after MADV_DONTNEED, fork, mlock, MAP_POPULATE and changes of protection; of files what they
 * have.
 * @test timeout=30 members=3 nosvm
 */
#include "guest.h"

#define PAGES 64
#define PAGE 4096UL

static char *fresh(int flags)
{
	char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	/* No huge pages: of those one touch gets more. */
	madvise(p, PAGES * PAGE, MADV_NOHUGEPAGE);
	return p;
}

/* A letter for each run: "3+ 5- 56+". */
static void show(const char *what, char *p, size_t pages)
{
	unsigned char resident[4 * PAGES];
	char line[800] = "";
	int length = 0;

	if (mincore(p, pages * PAGE, resident) < 0) {
		result(what, -1);
		return;
	}
	for (size_t i = 0, run = 1; i < pages; i++, run++)
		if (i + 1 == pages || (resident[i] & 1) != (resident[i + 1] & 1)) {
			length += snprintf(line + length, sizeof(line) - (size_t)length, " %zu%c", run,
				resident[i] & 1 ? '+' : '-');
			run = 0;
		}
	say("%s:%s", what, line);
}

static void touched(void)
{
	char *p = fresh(0);
	volatile char sum = 0;

	show("fresh", p, PAGES);
	p[3 * PAGE] = 1;
	p[40 * PAGE + 17] = 1;
	show("written", p, PAGES);
	sum += p[50 * PAGE];
	show("read", p, PAGES);
	madvise(p + 40 * PAGE, PAGE, MADV_DONTNEED);
	show("one given back", p, PAGES);
	memset(p, 7, PAGES * PAGE);
	show("all written", p, PAGES);
	madvise(p + 8 * PAGE, 16 * PAGE, MADV_DONTNEED);
	show("some given back", p, PAGES);
	p[9 * PAGE] = 1;
	mprotect(p + 30 * PAGE, 10 * PAGE, PROT_READ);
	show("some read-only", p, PAGES);
	munmap(p + 60 * PAGE, PAGE);
	show("a hole", p, PAGES);
	munmap(p, PAGES * PAGE);
}

static void forked(void)
{
	char *p = fresh(0);

	memset(p, 1, 10 * PAGE);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		show("child", p, PAGES);
		p[20 * PAGE] = 1;
		show("child has written", p, PAGES);
		madvise(p, 5 * PAGE, MADV_DONTNEED);
		show("child has given back", p, PAGES);
		_exit(0);
	}
	child_report("child", pid);
	show("parent", p, PAGES);
	munmap(p, PAGES * PAGE);
}

static void at_once(void)
{
	char *p = fresh(MAP_POPULATE);

	show("populated", p, PAGES);
	munmap(p, PAGES * PAGE);
	p = fresh(0);
	result("mlock", mlock(p + 5 * PAGE, 3 * PAGE));
	show("locked", p, PAGES);
	result("on fault", (long)syscall(SYS_mlock2, p + 20 * PAGE, 4 * PAGE, 1));
	p[21 * PAGE] = 1;
	show("locked on fault", p, PAGES);
	madvise(p + 30 * PAGE, 4 * PAGE, MADV_POPULATE_WRITE);
	show("made writable", p, PAGES);
	munlock(p, PAGES * PAGE);
	munmap(p, PAGES * PAGE);
}

static void large(void)
{
	size_t size = 64 * MIB;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(p, size, MADV_NOHUGEPAGE);
	p[32 * MIB] = 1;
	show("large, below", p + 32 * MIB - 20 * PAGE, 20);
	show("large, from there", p + 32 * MIB, 20);
	munmap(p, size);
}

static void files(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	char block[PAGE];

	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 5; i++)
		write_all(fd, block, sizeof(block));
	char *p = mmap(NULL, 8 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	show("file, private", p, 8);
	munmap(p, 8 * PAGE);
	p = mmap(NULL, 8 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	show("file, shared", p, 8);
	munmap(p, 8 * PAGE);
	close(fd);
}

int main(void)
{
	work_dir();
	touched();
	forked();
	at_once();
	large();
	files();
	return finish();
}
