/* SPDX-License-Identifier: ISC */
/*
 * /proc/self/auxv is the auxiliary vector that the program got, also in a child;
 * randomize_va_space says that addresses are random.
 * @test timeout=20 members=2
 */
#include "guest.h"
#include <elf.h>
#include <sys/auxv.h>

static void look(void)
{
	static const unsigned long known[] = {AT_RANDOM, AT_PHDR, AT_ENTRY, AT_PAGESZ, AT_EXECFN};
	Elf64_auxv_t v[64];
	int fd = open("/proc/self/auxv", O_RDONLY), n = 0, bad = 0;
	ssize_t size = read(fd, v, sizeof(v));

	check("whole entries", size > 0 && size % (ssize_t)sizeof(*v) == 0);
	while (n < (int)(size / (ssize_t)sizeof(*v)) && v[n].a_type != AT_NULL) {
		for (size_t i = 0; i < COUNT(known); i++)
			bad += v[n].a_type == known[i] && getauxval(known[i]) != v[n].a_un.a_val;
		n++;
	}
	check("many", n > 10);
	check("ends with AT_NULL", n < 64 && v[n].a_type == AT_NULL);
	say("different: %d", bad);
	close(fd);
}

int main(void)
{
	char text[8] = "";
	int fd = open("/proc/sys/kernel/randomize_va_space", O_RDONLY);

	look();
	pid_t pid = fork_or_die();
	if (pid == 0) {
		look();
		_exit(0);
	}
	child_report("child", pid);
	result("randomize_va_space", read(fd, text, sizeof(text) - 1));
	say("%s", strtok(text, "\n"));
	return finish();
}
