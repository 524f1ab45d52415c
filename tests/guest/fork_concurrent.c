/* SPDX-License-Identifier: ISC */
/*
 * One hundred children alive at the same time: all wait at one gate, then each gives its own
 * status.
 * @test timeout=60 members=101
 */
#include "guest.h"

#define CHILDREN 100

int main(void)
{
	struct gate arrived, start;
	pid_t pids[CHILDREN];
	int right = 0;

	gate_make(&arrived);
	gate_make(&start);
	for (int i = 0; i < CHILDREN; i++) {
		pids[i] = fork_or_die();
		if (pids[i] == 0) {
			gate_open(&arrived);
			gate_wait(&start);
			_exit(i);
		}
	}
	for (int i = 0; i < CHILDREN; i++)
		gate_wait(&arrived);
	say("alive together: %d", CHILDREN);
	for (int i = 0; i < CHILDREN; i++)
		gate_open(&start);
	for (int i = 0; i < CHILDREN; i++) {
		int status = child_wait(pids[i]);

		right += WIFEXITED(status) && WEXITSTATUS(status) == i;
	}
	say("right statuses: %d", right);
	return finish();
}
