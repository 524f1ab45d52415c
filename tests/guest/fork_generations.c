/* SPDX-License-Identifier: ISC */
/*
 * A chain of forks, each from the child of the last: stack, heap, data and the mapping list of
 * every ancestor arrive twenty generations down.
 * @test timeout=30 members=21
 */
#include "guest.h"

#define DEPTH 20

static int data = 1;

int main(void)
{
	struct gate top;
	char *heap = malloc(100);
	int depth = 0;

	gate_make(&top);
	strcpy(heap, "");
	for (depth = 0; depth < DEPTH; depth++) {
		pid_t pid = fork_or_die();

		if (pid > 0) {
			int status = child_wait(pid);
			if (depth > 0)
				_exit(WEXITSTATUS(status));
			say("seen by the last: %d", WEXITSTATUS(status));
			say("own data: %d heap: '%s'", data, heap);
			return finish();
		}
		data += 2;
		heap[depth] = (char)('a' + depth);
		heap[depth + 1] = '\0';
	}
	_exit(data == 41 && !strcmp(heap, "abcdefghijklmnopqrst") ? depth : 99);
}
