/* SPDX-License-Identifier: ISC */
/*
 * What a program sees of its own text and of the low addresses: a mapping of the executable that it
 * reads rather than runs has the file's bytes, also when others have run that file; the heap begins
 * next to the program's end under ADDR_NO_RANDOMIZE, and grows over any place; so may a mapping.
 * System calls go on meanwhile.
 * @test timeout=60 members=4
 */
#include "guest.h"
#include <fcntl.h>
#include <sys/personality.h>

#define LOW 0x4f00000UL /* up to here and on to HIGH: nothing of Linux's */
#define HIGH 0x5300000UL

static bool same_as_file(const char *text, size_t size)
{
	static char part[65536];
	int fd = open("/proc/self/exe", O_RDONLY);
	bool same = fd >= 0;

	for (size_t at = 0; at < size && same; at += sizeof(part)) {
		ssize_t n = pread(fd, part, sizeof(part), (off_t)at);

		same = n > 0 && memcmp(part, text + at, (size_t)n) == 0;
	}
	close(fd);
	return same;
}

static void text(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	struct stat st;

	fstat(fd, &st);
	char *p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	check("text as in the file", same_as_file(p, (size_t)st.st_size));
	for (int i = 0; i < 3; i++) /* every call below is known by now */
		getppid();
	pid_t pid = fork_or_die();
	if (pid == 0)
		_exit(same_as_file(p, (size_t)st.st_size) ? 5 : 6);
	child_report("text in a child", pid);
	check("text after a fork", same_as_file(p, (size_t)st.st_size));
	munmap(p, (size_t)st.st_size);
}

static void fill(char *from, char *to)
{
	for (char *p = from; p < to; p += 4096)
		memset(p, (int)((uintptr_t)p >> 12 & 0x7f) + 1, 4096);
}

static size_t wrong(const char *from, const char *to)
{
	size_t n = 0;

	for (const char *p = from; p < to; p += 4096)
		for (int i = 0; i < 4096; i += 8)
			n += p[i] != (char)(((uintptr_t)p >> 12 & 0x7f) + 1);
	return n;
}

/* Whatever the kernel has there gives way. */
static void low_mapping(void)
{
	char *p = mmap((void *)LOW, HIGH - LOW, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	say("low mapping: %s", p == (char *)LOW ? "there" : strerror(errno));
	fill(p, (char *)HIGH);
	for (int i = 0; i < 100; i++)
		getppid();
	pid_t pid = fork_or_die();
	if (pid == 0)
		_exit(wrong(p, (char *)HIGH) == 0 ? 7 : 8);
	child_report("low mapping in a child", pid);
	say("low mapping: %zu wrong", wrong(p, (char *)HIGH));
}

static void heap(void)
{
	extern char end;
	char *start = sbrk(0);

	check("heap next to the program", start - &end < 4096);
	while ((char *)sbrk(0) < (char *)HIGH + 64 * MIB)
		if (sbrk(MIB) == (void *)-1)
			die("sbrk");
	start = (char *)(((uintptr_t)start + 4095) & -4096UL);
	fill(start, (char *)HIGH);
	for (int i = 0; i < 100; i++)
		getppid();
	say("heap: %zu wrong", wrong(start, (char *)HIGH));
	check("parent", getppid() > 0);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) {
		heap();
		return finish();
	}
	text();
	low_mapping();
	personality(ADDR_NO_RANDOMIZE);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		execl("/proc/self/exe", "memory_text", "heap", NULL);
		_exit(1);
	}
	child_report("heap", pid);
	return finish();
}
