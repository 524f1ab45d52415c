/* SPDX-License-Identifier: ISC */
/*
 * writev is one message for a pipe and readv scatters it; zero vectors and wrong counts.
 * @test timeout=20 members=2
 */
#include "guest.h"

int main(void)
{
	int ends[2];
	char a[4] = "", b[6] = "", c[20] = "";

	if (pipe(ends) < 0)
		die("pipe");
	pid_t pid = fork_or_die();
	if (pid == 0) {
		struct iovec parts[3] = {{"abc", 3}, {"", 0}, {"defghijkl", 9}};

		_exit(writev(ends[1], parts, 3) == 12 ? 0 : 1);
	}
	child_report("writev", pid);
	struct iovec into[3] = {{a, 3}, {b, 5}, {c, 19}};
	result("readv", readv(ends[0], into, 3));
	say("%s|%s|%s", a, b, c);
	result("no vectors", writev(ends[1], into, 0));
	result("negative count", syscall(SYS_writev, ends[1], into, -1));
	result("1025 vectors", syscall(SYS_writev, ends[1], into, 1025));
	struct iovec wild = {(void *)8, 4};
	result("bad address", writev(ends[1], &wild, 1));
	return finish();
}
