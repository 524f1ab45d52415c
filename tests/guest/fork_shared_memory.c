/* SPDX-License-Identifier: ISC */
/*
 * MAP_SHARED|MAP_ANONYMOUS crosses fork, in both directions, also when mapped by the child's parent
 * after another child was made, after mremap, and until the last member unmaps it.
 * @test timeout=20 members=6 svm
 */
#include "guest.h"

int main(void)
{
	int *numbers = shared_memory(3 * MIB);
	struct gate gate;

	gate_make(&gate);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		gate_wait(&gate);
		int sum = numbers[0] + numbers[700000];
		numbers[1] = sum;
		_exit(0);
	}
	numbers[0] = 40;
	numbers[700000] = 2;
	gate_open(&gate);
	child_report("child", pid);
	say("sum by the child: %d", numbers[1]);

	pid = fork_or_die();
	if (pid == 0) {
		pid_t grandchild = fork_or_die();

		if (grandchild == 0) {
			numbers[2] = 11;
			_exit(0);
		}
		child_wait(grandchild);
		_exit(numbers[2]);
	}
	child_report("grandchild's value", pid);
	say("in the parent: %d", numbers[2]);

	pid = fork_or_die();
	if (pid == 0) {
		if (munmap(numbers, 3 * MIB) < 0)
			_exit(1);
		_exit(0);
	}
	child_report("unmapping child", pid);
	say("still mapped here: %d", numbers[2]);

	int *other = shared_memory(4096);
	pid = fork_or_die();
	if (pid == 0) {
		if (mprotect(other, 4096, PROT_READ) < 0)
			_exit(1);
		_exit(other[0]);
	}
	other[0] = 0;
	child_report("read-only child", pid);
	other[0] = 5;
	say("protection is private: %d", other[0]);
	return finish();
}
