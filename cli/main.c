/* SPDX-License-Identifier: ISC */
/*
 * unifork: dispatch of the verbs, help, and the only place that turns an error into an exit status.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/cli.h"

static const struct verb verbs[] = {
	{"run", "run [OPTIONS] -- PROGRAM [ARGS...]", "run a program as a family of unikernels",
	 verb_run, help_run},
	{"syscalls", "syscalls", "print the table of system calls and their support", verb_syscalls,
	 help_syscalls},
	{"ps", "ps [-a] [-q] [--format json]", "list the families that have a name", verb_ps, help_ps},
	{"inspect", "inspect NAME...", "print what is known of families, as JSON", verb_inspect,
	 help_inspect},
	{"port", "port NAME [PORT]", "print which ports a family has published", verb_port, help_port},
	{"logs", "logs [-f] [-n N] [--since TIME] NAME", "print what a detached family wrote",
	 verb_logs, help_logs},
	{"top", "top NAME", "print the processes of a family as a tree", verb_top, help_top},
	{"stats", "stats [--no-stream] NAME...", "show what families cost, each second", verb_stats,
	 help_stats},
	{"exec", "exec [-dit] NAME PROGRAM [ARGS...]", "run a further program in a family", verb_exec,
	 help_exec},
	{"attach", "attach NAME", "print what a family writes from now on",
	 verb_attach, help_attach},
	{"events", "events [--format json] NAME", "print what happens in a family until it ends",
	 verb_events, help_events},
	{"pause", "pause NAME...", "stop all processes of families", verb_pause, help_pause},
	{"unpause", "unpause NAME...", "let them go on", verb_unpause, help_unpause},
	{"stop", "stop [-t SECONDS] NAME...", "ask families to end, then end them", verb_stop,
	 help_stop},
	{"kill", "kill [-s SIGNAL] NAME...", "send a signal to families", verb_kill, help_kill},
	{"wait", "wait NAME...", "wait for the end of families, print the statuses", verb_wait,
	 help_wait},
	{"rm", "rm [-f] NAME...", "remove families that have ended", verb_rm, help_rm},
};

void help_of(const char *verb)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verbs[i].name, verb))
			verbs[i].help();
}

static void help(void)
{
	printf("unifork %s - every process a unikernel: fork clones the VM, exec replaces it,\n"
		   "pipes are memory that two VMs share\n\nUsage:\n",
		   UNIFORK_VERSION);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		printf("  unifork %-38s %s\n", verbs[i].synopsis, verbs[i].summary);
	printf("  unifork VERB --help\n  unifork --help | --version\n\n"
		   "Exit status: the program's own, or its signal; 100 wrong usage, 111 the system\n"
		   "failed, 126 the program cannot be executed, 127 it was not found.\n");
}

static int fail(int status, const struct error *err)
{
	signal(SIGXFSZ, SIG_IGN); /* standard error may be a file that is as large as it may be */
	fprintf(stderr, "unifork: %s\n", err->text);
	return status;
}

/*
 * The program was ended by a signal, and so is this process: a shell in whose loop it runs must see
 * that Ctrl-C ended it. Without a core file, which would be of the wrong program. What does not end
 * a process (it was ignored) becomes the status that shells give, and so does what stops one: only
 * a family that lies ends by that, and this process would stand still for it.
 */
static int end_by(int sig)
{
	struct rlimit none = {0, 0};
	sigset_t set;

	if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
		return 128 + sig;
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	fflush(NULL);
	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(sig);
	return 128 + sig;
}

/* A descriptor of the family's must not become 0, 1 or 2, which are the program's. */
static void standard_open(void)
{
	int fd = open("/dev/null", O_RDWR);

	while (fd >= 0 && fd <= STDERR_FILENO)
		fd = open("/dev/null", O_RDWR);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct error err = {0};

	standard_open();

	if (argc < 2) {
		error_set(&err, 0, "no command; try 'unifork run -- PROGRAM' or 'unifork --help'");
		return fail(EXIT_USAGE, &err);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		help();
		return 0;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
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
		if (status > VERB_SIGNALED)
			return end_by(status - VERB_SIGNALED);
		return status < 0 ? fail(-status, &err) : status;
	}
	error_set(&err, 0, "unknown command '%s'; 'unifork --help' lists the commands", argv[1]);
	return fail(EXIT_USAGE, &err);
}
