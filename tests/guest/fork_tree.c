/* SPDX-License-Identifier: ISC */
/*
 * A tree of 63 processes (a root and five binary generations) counts itself in shared memory.
 * @test timeout=30 members=63
 */
#include "guest.h"

#define GENERATIONS 5

static int *counter;

static int grow(int generation)
{
	pid_t children[2];
	int reached = 1;

	__atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
	if (generation == GENERATIONS)
		return reached;
	for (int i = 0; i < 2; i++) {
		children[i] = fork_or_die();
		if (children[i] == 0)
			_exit(grow(generation + 1));
	}
	for (int i = 0; i < 2; i++) {
		int status = child_wait(children[i]);

		expect("a subtree exits", WIFEXITED(status));
		reached += WEXITSTATUS(status);
	}
	return reached;
}

int main(void)
{
	counter = shared_memory(4096);
	say("counted by exit statuses: %d", grow(0));
	say("counted in shared memory: %d", *counter);
	return finish();
}
