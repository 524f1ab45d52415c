/* SPDX-License-Identifier: ISC */
/*
 * unifork: dispatch of the verbs, help, and the only place that turns an error into an exit status.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const struct verb verbs[] = {
	{"run", "run [OPTIONS] -- PROGRAM [ARGS...]", "run a program as a family of unikernels",
	 verb_run, help_run},
	{"syscalls", "syscalls", "print the table of system calls and their support", verb_syscalls,
	 help_syscalls},
};

static void help(void)
{
	printf("unifork %s - every process a unikernel: fork clones the VM, exec replaces it,\n"
		   "pipes are memory that two VMs share\n\nUsage:\n",
		   UNIFORK_VERSION);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		printf("  unifork %-38s %s\n", verbs[i].synopsis, verbs[i].summary);
	printf("  unifork VERB --help\n  unifork --help | --version\n\n"
		   "Exit status: the program's own, 128+N if signal N ended it; 100 wrong usage, 111 the\n"
		   "system failed, 126 the program cannot be executed, 127 it was not found.\n");
}

static int fail(int status, const struct error *err)
{
	fprintf(stderr, "unifork: %s\n", err->text);
	return status;
}

int main(int argc, char **argv)
{
	struct error err = {0};

	if (argc < 2) {
		error_set(&err, 0, "no command; try 'unifork run -- PROGRAM' or 'unifork --help'");
		return fail(EXIT_USAGE, &err);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		help();
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("unifork %s\n", UNIFORK_VERSION);
		return 0;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(argv[1], verbs[i].name) != 0)
			continue;
		if (argc > 2 && (!strcmp(argv[2], "--help") || !strcmp(argv[2], "-h"))) {
			verbs[i].help();
			return 0;
		}
		int status = verbs[i].run(argc - 1, argv + 1, &err);
		return status < 0 ? fail(-status, &err) : status;
	}
	error_set(&err, 0, "unknown command '%s'; 'unifork --help' lists the commands", argv[1]);
	return fail(EXIT_USAGE, &err);
}
