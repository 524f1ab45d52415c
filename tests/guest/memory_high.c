/* SPDX-License-Identifier: ISC */
/*
 * The whole address space of a process: large mappings, fixed places where sanitizers, garbage
 * collectors and databases want theirs, parts of them touched, forked, given back; reservations
 * that no host could ever fill; system calls on buffers whose memory is anywhere.
 * @test timeout=60 members=3 nosvm also=pie
 */
#include "guest.h"
#include <fcntl.h>
#include <stdlib.h>

#define GIB (1UL << 30)
#define TIB (1UL << 40)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define LAZY (ANON | MAP_NORESERVE)
#define RW (PROT_READ | PROT_WRITE)

static const char *where(const void *got, const void *wanted)
{
	if (got == MAP_FAILED)
		return strerror(errno);
	return !wanted ? "somewhere" : got == wanted ? "there" : "elsewhere";
}

/* Maps, touches both ends and the middle if they can be written, unmaps. */
static void place(const char *name, size_t size, int prot, int flags, void *at)
{
	char *p = mmap(at, size, prot, flags, -1, 0);

	say("%s: %s", name, where(p, at));
	if (p == MAP_FAILED)
		return;
	if (prot & PROT_WRITE) {
		p[0] = p[size / 2] = p[size - 1] = 'x';
		check(name, p[0] + p[size / 2] + p[size - 1] == 3 * 'x' && p[size / 4] == 0);
	}
	result(name, munmap(p, size));
}

static void places(void)
{
	place("64 GiB", 64 * GIB, RW, LAZY, NULL);
	place("1 TiB", TIB, RW, LAZY, NULL);
	place("14 TiB", 14 * TIB, RW, LAZY, NULL);
	place("1 TiB, none", TIB, PROT_NONE, ANON, NULL);
	place("1 TiB, read", TIB, PROT_READ, ANON, NULL);
	place("1 TiB, shared", TIB, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, NULL);
	place("a shadow of all", 0x10007fff8000 - 0x7fff8000, RW, LAZY | MAP_FIXED_NOREPLACE,
		  (void *)0x7fff8000);
	place("another", 0x200000000000 - 0x10000000000, RW, LAZY | MAP_FIXED, (void *)0x10000000000);
	place("a gap", 0x550000000000 - 0x400000000000, PROT_NONE, LAZY | MAP_FIXED,
		  (void *)0x400000000000);
	place("at 1 TiB", MIB, RW, ANON | MAP_FIXED, (void *)TIB);
	place("at 64 TiB", 8 * MIB, RW, ANON | MAP_FIXED, (void *)(64 * TIB));
	place("an arena", 64 * MIB, RW, ANON, (void *)0xc000000000);
	place("a heap", TIB, RW, LAZY, (void *)0x4200000000);
	place("low", MIB, RW, ANON | MAP_32BIT, NULL);
	place("above", MIB, RW, ANON | MAP_FIXED, (void *)0x800000000000);
}

static void never(void)
{
	char *p;

	place("16 TiB promised", 16 * TIB, RW, ANON, NULL);
	place("16 TiB promised, shared", 16 * TIB, RW, MAP_SHARED | MAP_ANONYMOUS, NULL);
	p = mmap(NULL, 16 * TIB, PROT_READ, ANON, -1, 0);
	say("to read: %s", where(p, NULL));
	result("then to write", mprotect(p, 16 * TIB, RW));
	result("a part to write", mprotect(p, MIB, RW));
	p[MIB - 1] = 1;
	result("unmap", munmap(p, 16 * TIB));
	say("heap: %s", sbrk(16L << 40) == (void *)-1 ? strerror(errno) : "grown");
	say("allocated: %s", malloc(16 * TIB) ? "yes" : "no");
}

static void forked(void)
{
	char *high = mmap((void *)(33 * TIB), 2 * TIB, RW, LAZY | MAP_FIXED, -1, 0);

	high[5] = 'p';
	high[TIB] = 'q';
	pid_t pid = fork_or_die();
	if (pid == 0) {
		high[TIB] = 'c';
		high[TIB + GIB] = 'd';
		_exit(high[5] == 'p' && high[6] == 0 ? 3 : 4);
	}
	child_report("child", pid);
	say("parent: %c %c %d", high[5], high[TIB], high[TIB + GIB]);
	result("discard", madvise(high, 2 * TIB, MADV_DONTNEED));
	say("discarded: %d %d", high[5], high[TIB]);
	high[5] = 'n';
	char *moved = mremap(high, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)(96 * TIB));
	say("moved: %s %c", where(moved, (void *)(96 * TIB)), moved[5]);
	result("unmap", munmap(high, 2 * TIB) | munmap(moved, 4096));
	high = mmap((void *)(33 * TIB), 64 * MIB, RW, LAZY | MAP_FIXED, -1, 0);
	size_t dirty = 0;
	for (size_t i = 0; i < 64 * MIB; i += 4096)
		dirty += high[i] != 0;
	say("again: %zu pages of old contents", dirty);
	munmap(high, 64 * MIB);
}

/* 2 MiB pieces that are touched from the last to the first, then read and written as one. */
static void buffers(void)
{
	size_t size = 16 * MIB;
	char *b = mmap((void *)(34 * TIB), size, RW, LAZY | MAP_FIXED, -1, 0);
	char *far = mmap(NULL, 4096, RW, ANON, -1, 0), *path = "/proc/self/exe";
	int fd = open(path, O_RDONLY), pipes[2];
	struct stat st;

	fstat(fd, &st);
	for (size_t i = size; i > 0; i -= 2 * MIB) {
		b[i - 2 * MIB] = 0;
		far = mmap((void *)(40 * TIB + i * 8), 4096, RW, ANON | MAP_FIXED, -1, 0);
		far[0] = 1; /* something else in between */
	}
	size_t want = (size_t)st.st_size, at = 2 * MIB - want / 2, got = 0;
	for (ssize_t n; got < want && (n = pread(fd, b + at + got, want - got, (off_t)got)) > 0;)
		got += (size_t)n;
	char *file = mmap(NULL, want, PROT_READ, MAP_PRIVATE, fd, 0);
	check("read across", got == want && memcmp(file, b + at, want) == 0);
	if (pipe(pipes) < 0)
		die("pipe");
	check("written across", write(pipes[1], b + 4 * MIB - 100, 200) == 200);
	check("read back", read(pipes[0], b + 6 * MIB - 50, 200) == 200 &&
						   memcmp(b + 4 * MIB - 100, b + 6 * MIB - 50, 200) == 0);
	say("nowhere: %zd %s", write(pipes[1], (char *)(50 * TIB), 4), strerror(errno));
	munmap(b, size);
}

int main(void)
{
	places();
	never();
	forked();
	buffers();
	return finish();
}
