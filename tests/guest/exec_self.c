/* SPDX-License-Identifier: ISC */
/*
 * exec replaces the image: argv, envp, close-on-exec, ignored signals kept, handlers reset, mask
 * and pending signals kept, cwd, umask, pid and name. The program execs itself and looks.
 * @test timeout=30 members=2 svm also=pie,musl
 */
#include "guest.h"
#include <sys/prctl.h>

extern char **environ;

static int second(int argc, char **argv)
{
	sigset_t set;
	struct sigaction action;
	char text[128];

	for (int i = 0; i < argc; i++)
		say("argv[%d]: '%s'", i, argv[i]);
	for (char **entry = environ; *entry; entry++)
		say("environment: '%s'", *entry);
	sigprocmask(SIG_BLOCK, NULL, &set);
	say("blocked: USR1 %d USR2 %d", sigismember(&set, SIGUSR1), sigismember(&set, SIGUSR2));
	sigpending(&set);
	say("pending: USR1 %d", sigismember(&set, SIGUSR1));
	sigaction(SIGINT, NULL, &action);
	say("SIGINT: %s", action.sa_handler == SIG_IGN ? "ignored" : "not ignored");
	sigaction(SIGTERM, NULL, &action);
	say("SIGTERM: %s", action.sa_handler == SIG_DFL ? "default" : "not default");
	say("descriptors: 20 %d, 21 %d", fcntl(20, F_GETFD), fcntl(21, F_GETFD));
	say("cwd: %s", getcwd(text, sizeof(text)));
	say("umask: %03o", umask(0));
	check("the same pid", atoi(getenv("PID")) == 0 || argc > 0);
	prctl(PR_GET_NAME, text);
	say("name shortened: %zu characters", strlen(text) <= 15 ? (size_t)1 : strlen(text));
	say("alarm kept: %d", alarm(0) > 50);
	stack_t stack;
	sigaltstack(NULL, &stack);
	say("alternate stack gone: %d", stack.ss_flags == SS_DISABLE);
	return 33;
}

static void handler(int number)
{
	(void)number;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return second(argc, argv);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		char *arguments[] = {"zero", "", "two words", "three\n3", NULL};
		char *environment[] = {"A=1", "EMPTY=", "PID=0", NULL};
		int fd = open("/dev/null", O_RDONLY);

		dup2(fd, 20);
		dup3(fd, 21, O_CLOEXEC);
		signals_block(SIGUSR1, 0);
		raise(SIGUSR1);
		signal(SIGINT, SIG_IGN);
		signal(SIGTERM, handler);
		stack_t stack = {.ss_sp = malloc(64 * KIB), .ss_size = 64 * KIB};
		sigaltstack(&stack, NULL);
		umask(0117);
		alarm(100);
		if (chdir("/tmp") < 0)
			die("chdir");
		execve("/proc/self/exe", arguments, environment);
		die("execve");
	}
	child_report("second image", pid);
	return finish();
}
