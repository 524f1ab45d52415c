/* SPDX-License-Identifier: ISC */
/*
 * Addresses are chosen afresh by every exec, with so many random bits: stack, mappings, heap, and
 * AT_RANDOM; under
 * ADDR_NO_RANDOMIZE, which exec and fork keep, they are the same.
 * @test timeout=60 members=49 also=pie
 */
#include "guest.h"
#include <sys/auxv.h>
#include <sys/personality.h>

#define RUNS 24
#define MANY 16 /* of so few draws from the smallest of the ranges, nearly always more */

struct places {
	uint64_t stack, mapping, heap, program, random;
};

static void print_places(void)
{
	struct places p = {.stack = (uintptr_t)&p, .heap = (uintptr_t)sbrk(0)};

	p.program = (uintptr_t)&print_places;
	p.mapping = (uintptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(&p.random, (void *)getauxval(AT_RANDOM), sizeof(p.random));
	write(1, &p, sizeof(p));
}

static void run(struct places *out)
{
	int fd[2];

	if (pipe(fd) < 0)
		die("pipe");
	pid_t pid = fork_or_die();
	if (pid == 0) {
		dup2(fd[1], 1);
		close(fd[0]);
		close(fd[1]);
		execl("/proc/self/exe", "exec_random", "places", NULL);
		_exit(1);
	}
	close(fd[1]);
	if (read(fd[0], out, sizeof(*out)) != sizeof(*out))
		die("read");
	close(fd[0]);
	child_wait(pid);
}

/* How many different values; each is one of the members of struct places. */
static int different(const struct places *runs, size_t member)
{
	int n = 0;

	for (int i = 0; i < RUNS; i++) {
		int j = 0;
		while (j < i && ((const uint64_t *)&runs[j])[member] !=
							((const uint64_t *)&runs[i])[member])
			j++;
		n += j == i;
	}
	return n;
}

/* Bits in which any two of them differ. */
static int bits(const struct places *runs, size_t member)
{
	uint64_t changed = 0;

	for (int i = 1; i < RUNS; i++)
		changed |= ((const uint64_t *)&runs[0])[member] ^ ((const uint64_t *)&runs[i])[member];
	return __builtin_popcountll(changed);
}

int main(int argc, char **argv)
{
	static struct places runs[RUNS];

	(void)argv;
	if (argc > 1) {
		print_places();
		return 0;
	}
	for (int i = 0; i < RUNS; i++)
		run(&runs[i]);
	check("stack", different(runs, 0) > MANY);
	check("mappings", different(runs, 1) > MANY);
	check("heap", different(runs, 2) > MANY);
	bool fixed = (uintptr_t)&print_places < 16 * MIB; /* how it was linked */
	check("program", fixed ? different(runs, 3) == 1 : different(runs, 3) > MANY);
	check("bits of the stack", bits(runs, 0) >= 28);
	check("bits of mappings", bits(runs, 1) >= 27);
	check("bits of the program", bits(runs, 3) >= (fixed ? 0 : 27));
	check("AT_RANDOM", different(runs, 4) == RUNS);
	result("personality", personality(ADDR_NO_RANDOMIZE));
	for (int i = 0; i < RUNS; i++)
		run(&runs[i]);
	say("fixed: %d %d %d %d", different(runs, 0), different(runs, 1), different(runs, 2),
		different(runs, 3));
	check("AT_RANDOM", different(runs, 4) == RUNS);
	say("kept: %x", personality(0xffffffff));
	return finish();
}
