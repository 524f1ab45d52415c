/* SPDX-License-Identifier: ISC */
/*
 * Takes all of one thing that there is, in a child: it gets an error, or a signal where Linux sends
 * one. Afterwards its parent says how that ended, and that the family can still do what it wants:
 * fork, a pipe, some memory. Every loop is bounded; "no end" is what a bound that is missing shows.
 * @test timeout=60 members=40
 */
#include "guest.h"
#include <pthread.h>

#define PIECE (64 << 10)
#define FILES_MAX 5000
#define PIPES_MAX 4000
#define THREADS_MAX 500
#define PIDS_MAX 2600
#define CREW 400
#define SHARED_MAX (512 * MIB)
#define CHILDREN 6
#define CHILD_BYTES (40 * MIB)

static int ended(const char *name, int done)
{
	say("%s: %s after %s", name, errno_name(errno), done ? "some" : "none");
	return 0;
}

static int files(void)
{
	for (int i = 0; i < FILES_MAX; i++)
		if (open("/dev/null", O_RDONLY) < 0)
			return ended("open", i);
	return 1;
}

/* Full pipes, as many as descriptors allow and more, because their ends are closed by nobody. */
static int pipes(void)
{
	static char piece[PIECE];
	struct rlimit many = {2 * PIPES_MAX + 64, 2 * PIPES_MAX + 64};

	setrlimit(RLIMIT_NOFILE, &many);
	for (int i = 0; i < PIPES_MAX; i++) {
		int fd[2];

		if (pipe2(fd, O_NONBLOCK) < 0)
			return ended("pipe", i);
		if (write(fd[1], piece, sizeof(piece)) < 0 && errno != EAGAIN)
			return ended("write", i);
	}
	return 1;
}

static void *wait_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static int threads(void)
{
	for (int i = 0; i < THREADS_MAX; i++) {
		pthread_t thread;

		errno = pthread_create(&thread, NULL, wait_for_ever, NULL);
		if (errno)
			return ended("thread", i);
	}
	return 1;
}

/* Fills shared memory by writing, which has an error to give, or by storing, which has a signal. */
static int shared(bool stores)
{
	int fd = memfd_create("much", 0);

	if (fd < 0 || ftruncate(fd, SHARED_MAX) < 0)
		return ended("memfd", 0);
	char *p = mmap(NULL, SHARED_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return ended("mmap", 0);
	for (off_t at = 0; at < (off_t)SHARED_MAX; at += 4096) {
		if (stores)
			p[at] = 1;
		else if (pwrite(fd, "x", 1, at) < 0)
			return ended("pwrite", at > 0);
	}
	return 1;
}

static int shared_write(void)
{
	return shared(false);
}

static int shared_store(void)
{
	return shared(true);
}

static int touch(void)
{
	volatile char *p = malloc(CHILD_BYTES);

	for (size_t i = 0; p && i < CHILD_BYTES; i += 4096)
		p[i] = 1;
	return p ? 0 : 2;
}

/* Some of them find room, one after the other or side by side; the others are killed. */
static int memory(void)
{
	int killed = 0, status;

	for (int i = 0; i < CHILDREN; i++) {
		if (fork_or_die() == 0) {
			status = touch();
			pause_ms(300);
			_exit(status);
		}
	}
	for (int i = 0; i < CHILDREN; i++) {
		if (waitpid(-1, &status, 0) < 0)
			die("waitpid");
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
			killed++;
		else if (status != 0)
			return 2;
	}
	say("memory: %s killed", killed == 0 ? "none" : killed == CHILDREN ? "all" : "some");
	return 0;
}

/* Adds threads, which cost little; tells how many tasks that makes, and whether it got them all. */
static void crew(int to)
{
	pthread_attr_t small;
	pthread_t thread;
	int made = 1;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, PIECE);
	while (made < CREW && pthread_create(&thread, &small, wait_for_ever, NULL) == 0)
		made++;
	if (write(to, &made, sizeof(made)) != sizeof(made))
		_exit(1);
	wait_for_ever(NULL);
}

/* The first task more than there may be is refused. This process and its parent are two. */
static int pids(void)
{
	int fd[2], sum = 2, made = CREW;

	if (pipe(fd) < 0)
		return 1;
	while (made == CREW && sum < PIDS_MAX) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0)
			crew(fd[1]);
		if (read(fd[0], &made, sizeof(made)) != sizeof(made))
			return 2;
		sum += made;
	}
	if (sum >= PIDS_MAX)
		say("pids: no end");
	else
		say("pids: %d limit", sum);
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} modes[] = {{"files", files},
			 {"pipes", pipes},
			 {"threads", threads},
			 {"shared_write", shared_write},
			 {"shared_store", shared_store},
			 {"pids", pids},
			 {"memory", memory}};

static void after(void)
{
	int fd[2];
	char byte = 0;
	pid_t pid;

	if (pipe(fd) < 0)
		die("pipe");
	pid = fork_or_die();
	if (pid == 0) {
		volatile char *p = calloc(1, MIB);
		byte = p ? p[MIB / 2] + 1 : 0;
		_exit(write(fd[1], &byte, 1) != 1);
	}
	ssize_t got = read(fd[0], &byte, 1);
	say("after: %zd %d", got, byte);
	child_wait(pid);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < COUNT(modes); i++) {
		if (argc < 2 || strcmp(modes[i].name, argv[1]) != 0)
			continue;
		pid_t pid = fork_or_die();
		int status;

		if (pid == 0) {
			setpgid(0, 0);
			_exit(modes[i].run());
		}
		if (waitpid(pid, &status, 0) != pid)
			die("waitpid");
		if (WIFSIGNALED(status))
			say("%s: signal %d", modes[i].name, WTERMSIG(status));
		else if (WEXITSTATUS(status))
			say("%s: %s", modes[i].name, WEXITSTATUS(status) == 1 ? "no end" : "wrong");
		after();
	}
	return 0;
}
