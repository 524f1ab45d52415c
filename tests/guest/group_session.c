/* SPDX-License-Identifier: ISC */
/*
 * Process groups and sessions: setpgid, getpgrp, setsid, getsid and their errors.
 * @test timeout=30 members=4
 */
#include "guest.h"

int main(void)
{
	struct gate ready, go;

	gate_make(&ready);
	gate_make(&go);
	check("session leader", getsid(0) == getpid());
	check("group leader", getpgrp() == getpid());
	result("setsid as a leader", setsid());
	result("setpgid as a session leader", setpgid(0, 0));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		check("inherits the session", getsid(0) == getppid());
		check("inherits the group", getpgrp() == getppid());
		result("setpgid into no group", setpgid(0, 1 << 21));
		result("setpgid, negative", setpgid(0, -1));
		check("setsid", setsid() == getpid());
		check("own session", getsid(0) == getpid() && getpgrp() == getpid());
		gate_open(&ready);
		gate_wait(&go);
		_exit(finish());
	}
	gate_wait(&ready);
	check("getsid of the child", getsid(pid) == pid);
	result("setpgid of a child in another session", setpgid(pid, pid));
	gate_open(&go);
	child_report("child", pid);
	result("getpgid of a stranger", getpgid(1 << 21));
	result("getsid of a stranger", getsid(1 << 21));
	result("setpgid of a stranger", setpgid(1 << 21, 0));

	pid = fork_or_die();
	if (pid == 0) {
		gate_wait(&go);
		_exit(1);
	}
	result("setpgid of a child", setpgid(pid, pid));
	check("its group", getpgid(pid) == pid);
	kill(-pid, SIGKILL);
	child_report("child", pid);
	int tty = open("/dev/tty", O_RDWR);
	result("no controlling terminal", tty);
	return finish();
}
