/* SPDX-License-Identifier: ISC */
/*
 * Every wait status: exits, signals, stops, continues, with waitpid and waitid.
 * @test timeout=30 members=13 svm
 */
#include "guest.h"

static int exit_with(void *code)
{
	return (int)(intptr_t)code;
}

static int die_by(void *number)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	raise((int)(intptr_t)number);
	return 99;
}

static int pause_forever(void *unused)
{
	(void)unused;
	for (int i = 0; i < 1000; i++)
		pause();
	return 0;
}

static void show(const char *name, int rc, const siginfo_t *info)
{
	const char *code = "none";

	switch (info->si_code) {
	case CLD_EXITED: code = "CLD_EXITED"; break;
	case CLD_KILLED: code = "CLD_KILLED"; break;
	case CLD_DUMPED: code = "CLD_DUMPED"; break;
	case CLD_STOPPED: code = "CLD_STOPPED"; break;
	case CLD_CONTINUED: code = "CLD_CONTINUED"; break;
	}
	say("%s: %d %s status %d signo %d", name, rc, code, info->si_status, info->si_signo);
}

int main(void)
{
	static const int codes[] = {0, 1, 127, 255, 256 + 3};
	static const int signals[] = {SIGTERM, SIGKILL, SIGUSR1, SIGALRM};
	siginfo_t info;
	int status;

	for (size_t i = 0; i < COUNT(codes); i++)
		child_report("exit", child_start(exit_with, (void *)(intptr_t)codes[i]));
	for (size_t i = 0; i < COUNT(signals); i++)
		child_report("signal", child_start(die_by, (void *)(intptr_t)signals[i]));

	pid_t pid = child_start(exit_with, (void *)5);
	memset(&info, 0, sizeof(info));
	int rc = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	show("waitid WNOWAIT", rc, &info);
	check("si_pid", info.si_pid == pid);
	rc = waitid(P_PID, (id_t)pid, &info, WEXITED);
	show("waitid", rc, &info);
	result("waitid again", waitid(P_PID, (id_t)pid, &info, WEXITED));

	pid = child_start(die_by, (void *)SIGABRT);
	rc = waitid(P_ALL, 0, &info, WEXITED);
	if (info.si_code == CLD_DUMPED)
		info.si_code = CLD_KILLED;
	show("abort", rc, &info);

	pid = child_start(pause_forever, NULL);
	memset(&info, 0, sizeof(info));
	rc = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
	say("WNOHANG: %d pid %d", rc, info.si_pid);
	result("waitpid WNOHANG", waitpid(pid, &status, WNOHANG));
	kill(pid, SIGSTOP);
	say("WUNTRACED: %s", waitpid(pid, &status, WUNTRACED) == pid ? status_text(status) : "?");
	result("reported once", waitpid(pid, &status, WUNTRACED | WNOHANG));
	kill(pid, SIGCONT);
	say("WCONTINUED: %s", waitpid(pid, &status, WCONTINUED) == pid ? status_text(status) : "?");
	kill(pid, SIGSTOP);
	rc = waitid(P_PID, (id_t)pid, &info, WSTOPPED);
	show("WSTOPPED", rc, &info);
	kill(pid, SIGCONT);
	rc = waitid(P_PID, (id_t)pid, &info, WCONTINUED);
	show("WCONTINUED", rc, &info);
	kill(pid, SIGKILL);
	rc = waitid(P_PID, (id_t)pid, &info, WEXITED);
	show("killed", rc, &info);

	result("wait without children", wait(&status));
	result("waitpid of a stranger", waitpid(1 << 21, &status, 0));
	result("waitpid, wrong option", waitpid(-1, &status, 0x100));
	result("waitid without options", waitid(P_ALL, 0, &info, 0));
	result("waitid, wrong type", waitid((idtype_t)9, 0, &info, WEXITED));
	return finish();
}
