/* SPDX-License-Identifier: ISC */
/*
 * signalfd: blocked signals from another process and from kill to oneself, with values; poll;
 * SIGCHLD; nothing there; a new mask.
 * @test timeout=20 members=4
 */
#include "guest.h"
#include <sys/signalfd.h>

static void take(const char *what, int fd, pid_t expected)
{
	struct signalfd_siginfo info[4];
	ssize_t n = read(fd, info, sizeof(info));

	if (n < 0) {
		result(what, n);
		return;
	}
	for (size_t i = 0; i < (size_t)n / sizeof(info[0]); i++)
		say("%s: %s value %d, sender right: %d", what,
			info[i].ssi_signo >= (unsigned)SIGRTMIN ? "real-time"
													: signal_name((int)info[i].ssi_signo),
			info[i].ssi_int, info[i].ssi_pid == (unsigned)expected);
}

int main(void)
{
	sigset_t set;
	struct pollfd p = {-1, POLLIN, 0};

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	okay("signalfd", fd);
	take("nothing", fd, 0);
	p.fd = fd;
	result("poll", poll(&p, 1, 20));
	kill(getpid(), SIGUSR1);
	result("poll", poll(&p, 1, 0));
	take("own", fd, getpid());
	sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 11});
	sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 22});
	take("two", fd, getpid());
	pid_t pid = fork_or_die();
	if (pid == 0) {
		pause_ms(50);
		kill(getppid(), SIGUSR1);
		pause();
	}
	result("poll until a signal", poll(&p, 1, 5000));
	take("child's", fd, pid);
	kill(pid, SIGKILL);
	fcntl(fd, F_SETFL, 0);
	take("death", fd, pid);
	child_report("child", pid);
	sigdelset(&set, SIGUSR1);
	result("same descriptor", signalfd(fd, &set, 0) == fd);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	kill(getpid(), SIGUSR1);
	take("not in the mask", fd, 0);
	result("too small", read(fd, &set, 8));
	check("bad descriptor", signalfd(0, &set, 0) == -1 && errno == EINVAL);
	return finish();
}
