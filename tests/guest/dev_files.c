/* SPDX-License-Identifier: ISC */
/*
 * /dev/null, zero, full, random, urandom, fd, stdin; getrandom differs between parent and child.
 * @test timeout=30 members=2
 */
#include "guest.h"
#include <sys/random.h>

int main(void)
{
	unsigned char a[32], b[32];
	char *shared = shared_memory(4096);
	struct stat info;

	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
	int full = open("/dev/full", O_RDWR), random = open("/dev/urandom", O_RDONLY);
	result("null read", read(null, a, 32));
	result("null write", write(null, a, 32));
	memset(a, 1, 32);
	result("zero read", read(zero, a, 32));
	say("zeros: %d", a[0] == 0 && a[31] == 0);
	result("full read", read(full, a, 32));
	result("full write", write(full, a, 32));
	result("urandom", read(random, a, 32));
	result("urandom", read(random, b, 32));
	check("different", memcmp(a, b, 32) != 0);
	random = open("/dev/random", O_RDONLY);
	result("random", read(random, b, 16));
	for (int i = 0; i < 2; i++) {
		static const char *const names[] = {"/dev/null", "/dev/zero"};

		stat(names[i], &info);
		say("%s: character device %d, number %x", names[i], S_ISCHR(info.st_mode),
			(unsigned)info.st_rdev);
	}
	pid_t pid = fork_or_die();
	if (pid == 0)
		_exit(getrandom(shared, 32, 0) == 32 ? 0 : 1);
	result("getrandom", getrandom(a, 32, 0));
	child_report("getrandom in the child", pid);
	check("parent and child differ", memcmp(a, shared, 32) != 0);
	result("getrandom, wrong flags", getrandom(a, 32, 0x100));
	int ends[2];
	if (pipe(ends) < 0)
		die("pipe");
	dup2(ends[0], 0);
	write_all(ends[1], "through /dev/stdin", 18);
	close(ends[1]);
	char text[32] = "";
	int in = open("/dev/stdin", O_RDONLY);
	result("stdin", (long)read_all(in, text, 31));
	say("%s", text);
	okay("/dev/fd/1", open("/dev/fd/1", O_WRONLY));
	okay("/dev", open("/dev", O_RDONLY | O_DIRECTORY));
	result("/dev/nothing", open("/dev/nothing", O_RDONLY));
	result("isatty of null", isatty(null) ? 1 : -1);
	return finish();
}
