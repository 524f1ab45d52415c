/* SPDX-License-Identifier: ISC */
/* unifork syscalls: the kernel's table, as it was compiled in. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "kernel/arch/syscall_numbers.h"

struct row {
	int number;
	const char *name, *level, *note;
};

static const struct row rows[] = {
#define SYSCALL(name, arity, types, level, note) {SYSCALL_##name, #name, #level, note},
#include "kernel/syscall/syscalls.def"
#undef SYSCALL
};

void help_syscalls(void)
{
	printf("Usage: unifork syscalls\n\nPrints number, name and level of support of every Linux "
		   "x86-64 system call:\n"
		   "FULL as on Linux, PARTIAL with what is missing, STUB accepted without effect, NONE "
		   "answers ENOSYS.\n");
}

int verb_syscalls(int argc, char **argv, struct error *err)
{
	if (argc > 1) {
		error_set(err, 0, "syscalls takes no argument '%s'; see 'unifork syscalls --help'",
				  argv[1]);
		return -EXIT_USAGE;
	}
	int count[4] = {0};
	static const char *const levels[] = {"FULL", "PARTIAL", "STUB", "NONE"};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		printf("%3d  %-24s %-8s%s%s\n", rows[i].number, rows[i].name, rows[i].level,
			   rows[i].note[0] ? " " : "", rows[i].note);
		for (int l = 0; l < 4; l++)
			count[l] += !strcmp(rows[i].level, levels[l]);
	}
	printf("%d full, %d partial, %d stubs, %d not supported\n", count[0], count[1], count[2],
		   count[3]);
	return 0;
}
