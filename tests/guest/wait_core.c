/* SPDX-License-Identifier: ISC */
/*
 * Whether a wait status says that a core file was written: by signal, RLIMIT_CORE and
 * PR_SET_DUMPABLE.
 * @test timeout=30 members=15
 */
#define _GNU_SOURCE
#include <sys/prctl.h>
#include <sys/resource.h>

#include "guest.h"

static void die_of(int sig, rlim_t core, int dumpable)
{
	struct rlimit none = {core, core};
	siginfo_t info;
	pid_t pid;
	int status;

	pid = fork_or_die();
	if (pid == 0) {
		if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, dumpable) < 0)
			_exit(1);
		raise(sig);
		_exit(0);
	}
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 || waitpid(pid, &status, 0) != pid)
		die("waitid");
	say("%s, limit %ld, dumpable %d: signal %s core %d code %s", sigabbrev_np(sig), (long)core,
		dumpable, WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : "none",
		!!WCOREDUMP(status), info.si_code == CLD_DUMPED ? "CLD_DUMPED" : "CLD_KILLED");
}

int main(void)
{
	static const int signals[] = {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV,
								  SIGXCPU, SIGSYS, SIGTERM, SIGKILL};

	work_dir();
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		die_of(signals[i], RLIM_INFINITY, 1);
	die_of(SIGQUIT, 4095, 1);
	die_of(SIGQUIT, 4096, 1);
	die_of(SIGQUIT, RLIM_INFINITY, 0);
	return 0;
}
