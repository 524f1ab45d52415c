/* SPDX-License-Identifier: ISC */
/*
 * The smallest family: one fork, one exit status across two members.
 * @test timeout=10 members=2 svm also=pie,musl,musl-pie
 */
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (write(1, "child\n", 6) != 6)
			_exit(1);
		_exit(42);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 42)
		return 2;
	return write(1, "parent\n", 7) == 7 ? 0 : 3;
}
