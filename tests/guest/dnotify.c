/* SPDX-License-Identifier: ISC */
/*
 * F_NOTIFY: the owner of an open directory hears of what happens in it; once, or with DN_MULTISHOT
 * until it is closed.
 * @test timeout=20 members=4
 */
#include "guest.h"

static char dir[] = "/tmp/dnotifyXXXXXX", a[64], b[64], sub[64];

static void drain(const char *what, int fd)
{
	struct timespec none = {0, 0};
	siginfo_t info;
	sigset_t set;
	char line[128] = "";
	int len = 0, sig;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGRTMIN);
	while ((sig = sigtimedwait(&set, &info, &none)) > 0 && len < 100)
		len += snprintf(line + len, sizeof(line) - len, " %s%s", sig == SIGIO ? "SIGIO" : "MSG",
						sig == SIGIO || (info.si_fd == fd && info.si_code == POLL_MSG &&
										 info.si_band == 0x441)
							? ""
							: "(other)");
	say("%s:%s", what, len ? line : " nothing");
}

static void make(const char *name)
{
	close(open(name, O_CREAT | O_WRONLY, 0600));
}

static void each(int fd)
{
	struct stat st;
	char c = 'x';

	result("DN_CREATE", fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	make(a);
	drain("create", fd);
	mkdir(sub, 0700);
	drain("mkdir", fd);
	stat(a, &st);
	chmod(a, 0644);
	drain("chmod, not asked for", fd);
	result("DN_ATTRIB, too", fcntl(fd, F_NOTIFY, DN_ATTRIB | DN_MULTISHOT));
	chmod(a, 0600);
	drain("chmod", fd);
	make(b);
	drain("create, still", fd);
	result("nothing", fcntl(fd, F_NOTIFY, 0));
	unlink(b);
	make(b);
	drain("create, not any more", fd);

	result("DN_MODIFY, once", fcntl(fd, F_NOTIFY, DN_MODIFY));
	int f = open(a, O_RDWR);
	expect("write", write(f, &c, 1) == 1);
	drain("write", fd);
	expect("write", write(f, &c, 1) == 1);
	drain("write again", fd);
	result("DN_ACCESS", fcntl(fd, F_NOTIFY, DN_ACCESS | DN_MULTISHOT));
	expect("read", pread(f, &c, 1, 0) == 1);
	drain("read", fd);
	close(f);
	fcntl(fd, F_NOTIFY, 0);

	result("DN_DELETE", fcntl(fd, F_NOTIFY, DN_DELETE | DN_MULTISHOT));
	unlink(b);
	drain("unlink", fd);
	rmdir(sub);
	drain("rmdir", fd);
	fcntl(fd, F_NOTIFY, 0);
	result("DN_RENAME", fcntl(fd, F_NOTIFY, DN_RENAME | DN_MULTISHOT));
	rename(a, b);
	drain("rename", fd);
	fcntl(fd, F_NOTIFY, 0);
	result("DN_CREATE", fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	rename(b, a);
	drain("rename, into it", fd);
}

/* What a process asks for ends with it, also where others have the directory open. */
static void ended(const char *how, int fd, int killed)
{
	int pid = fork(), status;

	if (pid == 0) {
		fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT);
		make(b);
		if (killed)
			raise(SIGKILL);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	drain("asked for by a child", fd);
	unlink(b);
	make(b);
	drain(how, fd);
	unlink(b);
}

int main(void)
{
	sigset_t set;
	int fd, copy, status;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (!mkdtemp(dir))
		die("mkdtemp");
	snprintf(a, sizeof(a), "%s/a", dir);
	snprintf(b, sizeof(b), "%s/b", dir);
	snprintf(sub, sizeof(sub), "%s/sub", dir);
	fd = open(dir, O_RDONLY);
	result("of a file", fcntl(open("/etc/passwd", O_RDONLY), F_NOTIFY, DN_CREATE));
	result("DN_CREATE", fcntl(fd, F_NOTIFY, DN_CREATE));
	check("its owner", fcntl(fd, F_GETOWN) == getpid());
	make(a);
	drain("without F_SETSIG", fd);
	unlink(a);
	fcntl(fd, F_SETSIG, SIGRTMIN);
	each(fd);

	/* By another process, to this one. */
	if (fork() == 0) {
		make(b);
		_exit(0);
	}
	wait(&status);
	drain("create by a child", fd);
	unlink(b);
	fcntl(fd, F_NOTIFY, 0);
	ended("which has ended", fd, 0);
	ended("which was killed", fd, 1);
	result("DN_CREATE", fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	/* Closing any descriptor of it ends it. */
	copy = dup(fd);
	close(fd);
	make(b);
	drain("closed", fd);
	close(copy);
	unlink(a);
	unlink(b);
	rmdir(dir);
	return finish();
}
