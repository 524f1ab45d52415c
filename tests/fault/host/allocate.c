/* SPDX-License-Identifier: ISC */
/*
 * Linked into a second unifork, in which one allocation fails: the Nth of the whole family, with N
 * in UNIFORK_FAULT_ALLOCATION. It is counted in memory that all its processes share. Says on
 * standard error which it was, or at the front's end how many there were if none failed.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static _Atomic unsigned long *count; /* NULL: main has not begun */
static unsigned long wanted;
static pid_t front;

/* One write, without libc's buffers, which would be allocated. */
static void tell(const char *what, unsigned long number)
{
	char line[96];
	int n = snprintf(line, sizeof(line), "fault: %s %lu\n", what, number);

	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

static void at_end(void)
{
	if (getpid() == front && *count < wanted)
		tell("allocations in all:", *count);
}

/* From here on: what libc takes before is its own affair. */
__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv("UNIFORK_FAULT_ALLOCATION");
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	wanted = text ? strtoul(text, NULL, 10) : ~0ul;
	front = getpid();
	count = p;
	atexit(at_end);
}

static int fails(void)
{
	unsigned long number;

	if (!count)
		return 0;
	number = ++*count;
	if (number != wanted)
		return 0;
	tell("no memory for allocation", number);
	errno = ENOMEM;
	return 1;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}
