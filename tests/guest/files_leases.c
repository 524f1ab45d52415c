/* SPDX-License-Identifier: ISC */
/*
 * Leases: who may take one, whom it keeps waiting, what the holder hears, and how it is given up,
 * to a read lease, or by closing.
 * @test timeout=30 members=7
 */
#include "guest.h"

static char name[] = "/tmp/leaseXXXXXX";
static struct gate gate;

static void heard(const char *what, int fd)
{
	struct timespec long_enough = {5, 0}, none = {0, 0};
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGRTMIN);
	int sig = sigtimedwait(&set, &info, fd < 0 ? &none : &long_enough);
	if (sig == SIGRTMIN)
		say("%s: POLL_MSG %d fd %d band %#lx", what, info.si_code == POLL_MSG, info.si_fd == fd,
			(unsigned long)info.si_band);
	else
		say("%s: %s", what, sig == SIGIO ? "SIGIO" : "nothing");
}

static void opens(const char *what, int flags)
{
	int fd = open(name, flags | O_NONBLOCK);

	okay(what, fd);
	if (fd >= 0)
		close(fd);
}

static void taking(void)
{
	int rw = open(name, O_RDWR), other, r, p[2];

	result("F_GETLEASE", fcntl(rw, F_GETLEASE));
	result("read lease of who may write", fcntl(rw, F_SETLEASE, F_RDLCK));
	result("write lease", fcntl(rw, F_SETLEASE, F_WRLCK));
	result("F_GETLEASE", fcntl(rw, F_GETLEASE));
	result("owner", fcntl(rw, F_GETOWN) == getpid());
	result("give it up", fcntl(rw, F_SETLEASE, F_UNLCK));
	result("again", fcntl(rw, F_SETLEASE, F_UNLCK));
	result("no such lease", fcntl(rw, F_SETLEASE, 7));
	other = open(name, O_RDONLY);
	result("write lease, others read", fcntl(rw, F_SETLEASE, F_WRLCK));
	close(rw);
	r = open(name, O_RDONLY);
	result("read lease", fcntl(r, F_SETLEASE, F_RDLCK));
	result("another's, too", fcntl(other, F_SETLEASE, F_RDLCK));
	result("write lease beside it", fcntl(r, F_SETLEASE, F_WRLCK));
	close(other);
	result("to a write lease", fcntl(r, F_SETLEASE, F_WRLCK));
	result("F_GETLEASE", fcntl(r, F_GETLEASE));
	close(r);
	if (pipe(p))
		die("pipe");
	result("of a pipe", fcntl(p[0], F_SETLEASE, F_RDLCK));
	result("of a directory", fcntl(open("/tmp", O_RDONLY), F_SETLEASE, F_RDLCK));
	if (geteuid() == 0 && fork() == 0) {
		r = open(name, O_RDONLY);
		if (setresuid(1, 1, 1))
			die("setresuid");
		result("of another's file", fcntl(r, F_SETLEASE, F_RDLCK));
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
}

/* A child opens; without O_NONBLOCK it waits. */
static int opener(int flags, int lease)
{
	int pid = fork();

	if (pid == 0) {
		close(lease);
		int fd = open(name, flags);

		say("child: %s", fd >= 0 ? "opened" : errno_name(errno));
		_exit(0);
	}
	return pid;
}

static void breaking(void)
{
	int fd = open(name, O_RDWR), status;

	fcntl(fd, F_SETSIG, SIGRTMIN);
	result("write lease", fcntl(fd, F_SETLEASE, F_WRLCK));
	heard("before", -1);
	opens("open for reading, not waiting", O_RDONLY);
	heard("told", fd);
	result("F_GETLEASE", fcntl(fd, F_GETLEASE));
	opens("again", O_RDONLY);
	heard("not told again", -1);
	opens("for writing", O_WRONLY);
	heard("told", fd);
	result("F_GETLEASE", fcntl(fd, F_GETLEASE));
	result("give it up", fcntl(fd, F_SETLEASE, F_UNLCK));
	opens("open", O_RDONLY);

	result("write lease", fcntl(fd, F_SETLEASE, F_WRLCK));
	opener(O_RDONLY, fd);
	heard("told", fd);
	say("parent: giving up");
	fcntl(fd, F_SETLEASE, F_UNLCK);
	wait(&status);
	close(fd);

	fd = open(name, O_RDONLY);
	fcntl(fd, F_SETSIG, 0);
	result("read lease", fcntl(fd, F_SETLEASE, F_RDLCK));
	opens("open for reading", O_RDONLY);
	heard("not told", -1);
	opener(O_RDWR, fd);
	heard("told", fd);
	say("parent: closing");
	close(fd);
	wait(&status);
}

static void down(void)
{
	int fd = open(name, O_RDONLY), status;

	result("write lease", fcntl(fd, F_SETLEASE, F_WRLCK));
	opener(O_RDONLY, fd);
	heard("told", fd);
	say("parent: down to a read lease");
	int downgrade = fcntl(fd, F_SETLEASE, F_RDLCK);
	wait(&status);
	result("downgrade", downgrade);
	result("F_GETLEASE", fcntl(fd, F_GETLEASE));
	/* Shared by a copy, gone with the last. */
	int copy = dup(fd);
	close(fd);
	result("of the copy", fcntl(copy, F_GETLEASE));
	if (fork() == 0) {
		close(copy);
		say("child: truncate %d", truncate(name, 3));
		_exit(0);
	}
	heard("told of truncate", copy);
	say("parent: closing");
	close(copy);
	wait(&status);
}

/* A holder that dies gives up. */
static void dead(void)
{
	gate_make(&gate);
	int pid = fork(), status;

	if (pid == 0) {
		int fd = open(name, O_RDONLY);

		fcntl(fd, F_SETLEASE, F_RDLCK);
		gate_open(&gate);
		for (;;)
			pause();
	}
	gate_wait(&gate);
	opens("held by a child", O_WRONLY);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	opens("which is dead", O_WRONLY);
}

int main(void)
{
	sigset_t set;
	char text[8] = {0};
	int fd = mkstemp(name);

	if (fd < 0)
		die("mkstemp");
	close(fd);
	chmod(name, 0644);
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	taking();
	breaking();
	down();
	dead();
	unlink(name);
	fd = open("/proc/sys/fs/lease-break-time", O_RDONLY);
	expect("lease-break-time", read(fd, text, 7) > 0);
	say("lease-break-time: %s", text);
	return finish();
}
