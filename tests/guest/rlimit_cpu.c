/* SPDX-License-Identifier: ISC */
/*
 * RLIMIT_CPU: SIGXCPU at the soft limit and each second after, SIGKILL at the hard one; inherited
 * by fork, vfork and exec, each process with its own time.
 * @test timeout=180 members=6
 */
#define _GNU_SOURCE
#include <spawn.h>
#include <sys/resource.h>
#include <time.h>

#include "guest.h"

static volatile sig_atomic_t told;

static void on_limit(int sig)
{
	(void)sig;
	told++;
}

static void burn(void)
{
	alarm(170);
	for (;;)
		;
}

static void limit(rlim_t soft, rlim_t hard)
{
	struct rlimit r = {soft, hard};

	if (setrlimit(RLIMIT_CPU, &r) < 0)
		die("setrlimit");
}

static int ignores(void *arg)
{
	(void)arg;
	signal(SIGXCPU, on_limit);
	limit(1, 2);
	while (told < 1)
		;
	say("told once");
	burn();
	return 0;
}

/* The parent's time is not the child's: with some used up already it has a second of its own. */
static int forks(void *arg)
{
	struct rlimit r;
	pid_t pid;

	(void)arg;
	signal(SIGXCPU, on_limit);
	limit(1, RLIM_INFINITY);
	while (clock() < CLOCKS_PER_SEC / 2)
		;
	pid = fork_or_die();
	if (pid == 0) {
		getrlimit(RLIMIT_CPU, &r);
		say("inherited %ld, told %d", (long)r.rlim_cur, told);
		while (told < 1)
			;
		say("told, %s a half second used", clock() >= CLOCKS_PER_SEC / 2 ? "after" : "before");
		_exit(0);
	}
	child_report("grandchild", pid);
	return 0;
}

static int executes(void *program)
{
	extern char **environ;
	char *argv[] = {program, "burn", NULL};
	pid_t pid;

	limit(1, RLIM_INFINITY);
	if (posix_spawn(&pid, program, NULL, NULL, argv, environ))
		die("posix_spawn");
	child_report("spawned", pid);
	execv(program, argv);
	return 1;
}

int main(int argc, char **argv)
{
	(void)argc;
	if (argv[1])
		burn();
	child_report("hard limit", child_start(ignores, NULL));
	child_report("forks", child_start(forks, NULL));
	child_report("executes", child_start(executes, "/proc/self/exe"));
	return 0;
}
