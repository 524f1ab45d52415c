/* SPDX-License-Identifier: ISC */
/*
 * The only place of the host side that signals a process. A process id that stands in kin is a
 * claim of whoever wrote it: it is signalled only if it names a child that this process, the only
 * reaper, has not reaped; and through a descriptor, so that what was checked is what is signalled.
 * In the family's PID namespace there is nobody else anyway.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/supervisor/supervisor_internal.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* A descriptor of the child, or -1: the claim is wrong, or it is dead. */
int child_open(pid_t claimed)
{
	siginfo_t info = {0};
	int fd = claimed > 1 ? (int)syscall(SYS_pidfd_open, claimed, 0) : -1;

	if (fd < 0)
		return -1;
	if (waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		info.si_pid == 0)
		return fd;
	close(fd);
	return -1;
}

bool child_signal(pid_t claimed, int sig)
{
	int fd = child_open(claimed);
	long r;

	if (fd < 0)
		return false;
	r = syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
	close(fd);
	return r == 0;
}

void namespace_signal(int sig)
{
	kill(-1, sig);
}
