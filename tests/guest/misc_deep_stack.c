/* SPDX-License-Identifier: ISC */
/*
 * The stack grows on demand to several megabytes, is inherited by fork and large argument lists
 * arrive.
 * @test timeout=30 members=3
 */
#include "guest.h"

extern char **environ;

static __attribute__((noinline)) int deep(int level)
{
	volatile char block[16 * 1024];

	block[0] = (char)level;
	block[sizeof(block) - 1] = (char)level;
	int below = level ? deep(level - 1) : 0;
	return below + (block[0] == (char)level && block[sizeof(block) - 1] == (char)level);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		size_t total = 0;

		for (int i = 1; i < argc; i++)
			total += strlen(argv[i]);
		say("%d arguments, %zu bytes", argc - 1, total);
		return 0;
	}
	say("levels: %d", deep(300));
	pid_t pid = fork_or_die();
	if (pid == 0)
		_exit(deep(350) == 351 ? 0 : 1);
	child_report("child", pid);
	pid = fork_or_die();
	if (pid == 0) {
		static char *arguments[1002];

		arguments[0] = argv[0];
		for (int i = 1; i <= 1000; i++) {
			arguments[i] = malloc(300);
			memset(arguments[i], 'q', 299);
			arguments[i][299] = '\0';
		}
		execve("/proc/self/exe", arguments, environ);
		_exit(99);
	}
	child_report("large arguments", pid);
	return finish();
}
