/* SPDX-License-Identifier: ISC */
/*
 * pidfd: poll until a child exits, signals, waitid, what it says of a reaped process, a descriptor
 * of another process.
 * @test timeout=20 members=5
 */
#include "guest.h"
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int pidfd_open_(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int main(void)
{
	siginfo_t info;
	int p[2];

	pipe(p);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	int fd = pidfd_open_(pid);
	struct pollfd poller = {fd, POLLIN, 0};
	okay("open", fd);
	say("close-on-exec: %d", fcntl(fd, F_GETFD));
	result("alive", poll(&poller, 1, 20));
	result("signal 0", syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
	pid_t killer = fork_or_die();
	if (killer == 0) {
		pause_ms(50);
		_exit(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0 ? 0 : 1);
	}
	result("poll until it dies", poll(&poller, 1, 5000));
	say("readable: %d", (poller.revents & POLLIN) != 0);
	memset(&info, 0, sizeof(info));
	result("waitid", waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED));
	say("the child: %d, status %d", info.si_pid == pid, info.si_status);
	child_report("killer", killer);
	check("reaped", syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == -1 && errno == ESRCH);
	result("waitid again", waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED));
	check("nobody", pidfd_open_(999999) == -1 && (errno == ESRCH || errno == EINVAL));
	check("not a pidfd", waitid((idtype_t)P_PIDFD, 0, &info, WEXITED) == -1 && errno == EBADF);

	pid = fork_or_die();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	close(p[1]);
	fd = pidfd_open_(pid);
	int got = (int)syscall(SYS_pidfd_getfd, fd, p[1], 0);
	okay("getfd", got);
	result("write", write(got, "x", 1));
	check("none there", syscall(SYS_pidfd_getfd, fd, 77, 0) == -1 && errno == EBADF);
	char path[32];
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	int directory = open(path, O_DIRECTORY);
	result("signal by /proc", syscall(SYS_pidfd_send_signal, directory, SIGKILL, NULL, 0));
	child_report("child", pid);
	check("its directory is void",
	      syscall(SYS_pidfd_send_signal, directory, 0, NULL, 0) == -1 && errno == ESRCH);
	result("signal by a pipe", syscall(SYS_pidfd_send_signal, p[0], 0, NULL, 0));
	return finish();
}
