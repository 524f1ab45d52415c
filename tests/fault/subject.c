/* SPDX-License-Identifier: ISC */
/*
 * What families do while a host call of theirs fails: one verb for each thing. A step that
 * succeeds prints what it saw, which is the same on every run; the first one that does not prints
 * `failed: STEP: ERRNO`, or how a child ended, and the program leaves with status 3. So whatever
 * fails below, the output is the whole one with status 0, or a beginning of it and one such line.
 *
 *   subject start|fork|exec|spawn|memory|volume
 *
 * volume works in the current directory.
 * @test timeout=10 members=64 args=start
 */
#include "guest.h"

#include <spawn.h>

#define FAILED 3
#define LEAF 7

extern char **environ;

static _Noreturn void failed(const char *step)
{
	say("failed: %s: %s", step, errno_name(errno));
	_exit(FAILED);
}

static long must(const char *step, long result)
{
	if (result < 0)
		failed(step);
	return result;
}

static void wait_for(const char *step, pid_t pid, int wanted)
{
	int status;

	must("waitpid", waitpid(pid, &status, 0));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != wanted) {
		say("failed: %s: child: %s", step, status_text(status));
		_exit(FAILED);
	}
	say("%s", step);
}

static _Noreturn void forked(int fd, bool again)
{
	void *p = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	if (p == MAP_FAILED)
		failed("mmap");
	memset(p, 1, 64 * KIB);
	must("write", write(fd, "x", 1));
	if (again) {
		pid = (pid_t)must("fork", fork());
		if (pid == 0)
			_exit(LEAF);
		wait_for("grandchild", pid, LEAF);
	}
	_exit(LEAF);
}

/* Two children, one after the other, and one of a child, with a pipe between them. */
static void do_fork(void)
{
	char byte;
	int fds[2];

	for (int i = 0; i < 2; i++) {
		must("pipe", pipe(fds));
		pid_t pid = (pid_t)must("fork", fork());
		if (pid == 0)
			forked(fds[1], i == 1);
		must("close", close(fds[1]));
		must("read", read(fds[0], &byte, 1));
		wait_for("fork", pid, LEAF);
	}
}

static void do_exec(void)
{
	pid_t pid = (pid_t)must("fork", fork());

	if (pid == 0) {
		execl("/proc/self/exe", "subject", "leaf", NULL);
		failed("exec");
	}
	wait_for("exec", pid, LEAF);
}

/* The third is served by the spawner that the second one made the supervisor start. */
static void do_spawn(void)
{
	char *arguments[] = {"subject", "leaf", NULL};
	pid_t pid;

	for (int i = 0; i < 4; i++) {
		errno = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ);
		if (errno)
			failed("posix_spawn");
		wait_for("spawn", pid, LEAF);
	}
}

static void do_memory(void)
{
	size_t size = 24 * MIB;
	struct itimerval timer = {.it_value = {.tv_usec = 2000}};
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *shared = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = (int)must("open", open("/proc/self/exe", O_RDONLY));
	char *file = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
	sigset_t set;
	int sig;

	if (p == MAP_FAILED || shared == MAP_FAILED || file == MAP_FAILED)
		failed("mmap");
	memset(p, 1, size);
	memset(shared, 2, MIB);
	say("sums: %d %d %d", p[0] + p[size - 1], shared[0] + shared[MIB - 1],
		memcmp(file, "\177ELF", 4));
	must("madvise", madvise(p, size, MADV_DONTNEED));
	must("mprotect", mprotect(p, size / 2, PROT_READ));
	must("munmap", munmap(p + size / 2, size / 2));
	say("emptied: %d", p[0]);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	must("sigprocmask", sigprocmask(SIG_BLOCK, &set, NULL));
	must("setitimer", setitimer(ITIMER_REAL, &timer, NULL));
	sigwait(&set, &sig);
	say("timer");
}

static void content_check(int fd, const char *wanted)
{
	char text[64] = "";
	long n = must("pread", pread(fd, text, sizeof(text) - 1, 0));

	if ((size_t)n != strlen(wanted) || strcmp(text, wanted)) {
		say("WRONG: %.60s, not %s", text, wanted);
		_exit(1);
	}
}

static void volume_files(void)
{
	int fd = (int)must("create", open("file", O_CREAT | O_EXCL | O_RDWR, 0640));

	if (must("write", write(fd, "first ", 6)) != 6 || must("write", write(fd, "line", 4)) != 4) {
		say("failed: write: short");
		_exit(FAILED);
	}
	must("ftruncate", ftruncate(fd, 8));
	must("fsync", fsync(fd));
	content_check(fd, "first li");
	must("close", close(fd));
	fd = (int)must("append", open("file", O_APPEND | O_RDWR));
	must("write", write(fd, "++", 2));
	content_check(fd, "first li++");
	must("close", close(fd));
	say("files");
}

static void volume_names(void)
{
	struct stat st;
	int entries = 0;

	must("mkdir", mkdir("dir", 0750));
	must("link", link("file", "dir/hard"));
	must("symlink", symlink("dir/hard", "soft"));
	must("rename", rename("file", "dir/moved"));
	must("chmod", chmod("dir/moved", 0600));
	must("stat", stat("soft", &st));
	say("names: %o %d", st.st_mode & 07777, (int)st.st_nlink);
	DIR *d = opendir("dir");
	if (!d)
		failed("opendir");
	errno = 0;
	while (readdir(d))
		entries++;
	if (errno)
		failed("readdir");
	closedir(d);
	must("unlink", unlink("soft"));
	must("unlink", unlink("dir/hard"));
	say("entries: %d", entries);
}

/* A file without a name, passed on to a fresh monitor. */
static void volume_nameless(void)
{
	char number[16];
	int fd = (int)must("tmpfile", open(".", O_TMPFILE | O_RDWR, 0600));
	char *arguments[] = {"subject", "nameless", number, NULL};
	pid_t pid;

	must("write", write(fd, "kept", 4));
	snprintf(number, sizeof(number), "%d", fd);
	errno = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ);
	if (errno)
		failed("posix_spawn");
	wait_for("nameless", pid, LEAF);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (!strcmp(verb, "leaf"))
		return LEAF;
	if (!strcmp(verb, "nameless") && argc == 3) {
		content_check(atoi(argv[2]), "kept");
		return LEAF;
	}
	if (!strcmp(verb, "fork"))
		do_fork();
	else if (!strcmp(verb, "exec"))
		do_exec();
	else if (!strcmp(verb, "spawn"))
		do_spawn();
	else if (!strcmp(verb, "memory"))
		do_memory();
	else if (!strcmp(verb, "volume")) {
		volume_files();
		volume_names();
		volume_nameless();
	}
	say("done");
	return 0;
}
