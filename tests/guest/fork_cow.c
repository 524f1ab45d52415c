/* SPDX-License-Identifier: ISC */
/*
 * Copy-on-write isolation: 48 MiB, written by the parent and by the child after the fork, neither
 * sees a byte of the other's.
 * @test timeout=60 members=2
 */
#include "guest.h"

#define SIZE (48 * MIB)

static uint64_t pattern(uint64_t seed, size_t index)
{
	return (seed + index) * 0x9e3779b97f4a7c15u;
}

static void fill(uint64_t *words, uint64_t seed, size_t step)
{
	for (size_t i = 0; i < SIZE / 8; i += step)
		words[i] = pattern(seed, i);
}

static size_t wrong(const uint64_t *words, uint64_t seed, size_t step)
{
	size_t bad = 0;

	for (size_t i = 0; i < SIZE / 8; i += step)
		bad += words[i] != pattern(seed, i);
	return bad;
}

int main(void)
{
	uint64_t *words = private_memory(SIZE);
	struct gate parent_wrote, child_wrote;

	gate_make(&parent_wrote);
	gate_make(&child_wrote);
	fill(words, 1, 1);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		gate_wait(&parent_wrote);
		size_t inherited = wrong(words, 1, 1);

		fill(words, 3, 1);
		gate_open(&child_wrote);
		_exit(inherited || wrong(words, 3, 1) ? 1 : 0);
	}
	fill(words, 2, 64);
	gate_open(&parent_wrote);
	gate_wait(&child_wrote);
	say("wrong words in the parent: %zu", wrong(words, 2, 64));
	words[1] = pattern(1, 1);
	size_t untouched = 0;
	for (size_t i = 0; i < SIZE / 8; i++)
		untouched += i % 64 != 0 && words[i] == pattern(1, i);
	say("untouched words kept: %s", untouched == SIZE / 8 / 64 * 63 ? "all" : "NOT ALL");
	child_report("child's view", pid);
	return finish();
}
