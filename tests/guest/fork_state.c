/* SPDX-License-Identifier: ISC */
/*
 * What fork keeps and what it drops: pending signals and timers are dropped, mask, handlers, cwd,
 * umask, name and limits are kept, times start at zero.
 * @test timeout=20 members=2
 */
#include "guest.h"
#include <sys/prctl.h>
#include <sys/times.h>

static volatile sig_atomic_t got;

static void handler(int number)
{
	got = number;
}

int main(void)
{
	signals_block(SIGUSR1, 0);
	on_signal(SIGUSR1, handler, 0);
	on_signal(SIGALRM, handler, 0);
	raise(SIGUSR1);
	alarm(100);
	if (chdir("/tmp") < 0 || prctl(PR_SET_NAME, "forkstate") < 0)
		die("set-up");
	umask(0123);
	struct rlimit limit = {77, 88};
	result("setrlimit", setrlimit(RLIMIT_NOFILE, &limit));

	pid_t parent = getpid();
	pid_t pid = fork_or_die();
	if (pid == 0) {
		sigset_t set;
		char text[64] = "";
		struct tms times_now;

		sigpending(&set);
		say("pending in the child: %d", sigismember(&set, SIGUSR1));
		sigprocmask(SIG_BLOCK, NULL, &set);
		say("blocked in the child: %d", sigismember(&set, SIGUSR1));
		say("alarm left: %u", alarm(0));
		struct sigaction action;
		sigaction(SIGUSR1, NULL, &action);
		check("handler kept", action.sa_handler == handler);
		say("cwd: %s", getcwd(text, sizeof(text)));
		say("umask: %03o", umask(0));
		prctl(PR_GET_NAME, text);
		say("name: %s", text);
		getrlimit(RLIMIT_NOFILE, &limit);
		say("limit: %d %d", (int)limit.rlim_cur, (int)limit.rlim_max);
		times(&times_now);
		check("no children's time", times_now.tms_cutime == 0 && times_now.tms_cstime == 0);
		check("little own time", times_now.tms_utime < 50);
		check("parent's pid", getppid() == parent);
		check("own pid", getpid() != parent);
		check("tid is pid", syscall(SYS_gettid) == getpid());
		_exit(0);
	}
	child_report("child", pid);
	sigset_t set;
	sigpending(&set);
	say("pending in the parent: %d", sigismember(&set, SIGUSR1));
	check("alarm kept", alarm(0) > 90);
	return finish();
}
