/* SPDX-License-Identifier: ISC */
/*
 * posix_spawn and vfork: file actions, attributes, ENOENT reported to the caller, the parent
 * waits for exec or _exit, memory is shared until then.
 * @test timeout=30 members=6 svm also=musl
 */
#include "guest.h"
#include <spawn.h>

extern char **environ;

static volatile int shared_value = 1;

int main(int argc, char **argv)
{
	if (argc > 1) {
		char text[64] = "";
		sigset_t set;

		read_all(0, text, sizeof(text) - 1);
		sigprocmask(SIG_BLOCK, NULL, &set);
		say("spawned: argument %s, input '%s', USR1 blocked %d", argv[1], text,
			sigismember(&set, SIGUSR1));
		return 21;
	}
	char *arguments[] = {"spawned", "first", NULL};
	int ends[2];
	pid_t pid = -5;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;

	say("missing: %s",
		errno_name(posix_spawn(&pid, "/no/such/program", NULL, NULL, arguments, environ)));
	say("not a program: %s",
		errno_name(posix_spawn(&pid, "/dev/null", NULL, NULL, arguments, environ)));
	result("no child is left", waitpid(-1, NULL, WNOHANG));
	if (pipe(ends) < 0)
		die("pipe");
	write_all(ends[1], "from the parent", 15);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[0], 0);
	posix_spawn_file_actions_addclose(&actions, ends[1]);
	posix_spawnattr_init(&attributes);
	sigset_t mask = signal_set(SIGUSR1, 0);
	posix_spawnattr_setsigmask(&attributes, &mask);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	say("posix_spawn: %d",
		posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, arguments, environ));
	check("its own group", getpgid(pid) == pid);
	close(ends[1]); /* the child speaks from here on */
	child_report("spawned", pid);
	say("posix_spawnp, missing: %s",
		errno_name(posix_spawnp(&pid, "no-such-program", NULL, NULL, arguments, environ)));

	pid = vfork();
	if (pid == 0) {
		shared_value = 2;
		_exit(9);
	}
	child_report("vfork and _exit", pid);
	say("memory was shared: %d", shared_value);
	int null = open("/dev/null", O_RDONLY);
	int copy = fcntl(null, F_DUPFD, 50);
	pid = vfork();
	if (pid == 0) {
		close(copy);
		dup2(null, 0);
		execve("/proc/self/exe", arguments, environ);
		_exit(127);
	}
	child_report("vfork and exec", pid);
	say("descriptors are separate: %d", fcntl(copy, F_GETFD) >= 0);
	pid = vfork();
	if (pid == 0) {
		execve("/no/such/program", arguments, environ);
		_exit(errno == ENOENT ? 40 : 41);
	}
	child_report("vfork and failed exec", pid);
	return finish();
}
