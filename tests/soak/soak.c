/* SPDX-License-Identifier: ISC */
/*
 * Children without end, for a look from outside between two shares of them. Each line `N` on
 * standard input makes WORKERS workers that make N children together, in every way, with pipes,
 * signals, sockets, shared memory and files; when all of them are gone it prints
 * `did FORKS EXECS SIGNALS BYTES`, and does nothing until the next line. End of file ends it.
 *
 *   soak WORKERS DIRECTORY       (of a volume: or . for files in memory only)
 *
 * A child or a byte that is not as it must be ends the program with status 1 and a line saying so.
 * @test timeout=60 members=10000 status=99
 */
#include "guest.h"

#include <spawn.h>
#include <sys/socket.h>

#define LEAF 7
#define KINDS 8
#define WORKERS_MAX 16
#define CHUNK 3000

extern char **environ;

struct counts {
	_Atomic long left, forks, execs, signals, bytes, wrong;
};

static struct counts *counts; /* shared by all workers */
static const char *directory;

static void wrong(const char *what, int status)
{
	say("WRONG: %s: %s", what, status < 0 ? errno_name(errno) : status_text(status));
	counts->wrong++;
	_exit(1);
}

static void wait_for(const char *what, pid_t pid, bool killed)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		wrong(what, -1);
	if (killed ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL
			   : !WIFEXITED(status) || WEXITSTATUS(status) != LEAF)
		wrong(what, status);
}

static pid_t forked(void)
{
	pid_t pid = fork();

	if (pid < 0)
		wrong("fork", -1);
	if (pid)
		counts->forks++;
	return pid;
}

static _Noreturn void become_leaf(void)
{
	execl("/proc/self/exe", "soak", "leaf", NULL);
	_exit(90);
}

/* Both ways through a pipe or a pair of sockets; more than the child's end holds at once. */
static void talk(bool sockets)
{
	static char out[CHUNK], in[CHUNK];
	int to[2], from[2];
	pid_t pid;

	if (sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, to) : pipe(to) || pipe(from))
		wrong("pipe", -1);
	pid = forked();
	if (pid == 0) {
		int rd = to[0], wr = sockets ? to[0] : from[1];

		close(to[1]);
		for (int i = 0; i < 4; i++) {
			for (long at = 0, n; at < CHUNK; at += n)
				if ((n = read(rd, in + at, (size_t)(CHUNK - at))) <= 0)
					_exit(91);
			if (write(wr, in, CHUNK) != CHUNK)
				_exit(92);
		}
		_exit(LEAF);
	}
	close(to[0]);
	for (int i = 0; i < 4; i++) {
		memset(out, 'a' + i, CHUNK);
		if (write(to[1], out, CHUNK) != CHUNK)
			wrong("write", -1);
		for (long at = 0, n; at < CHUNK; at += n)
			if ((n = read(sockets ? to[1] : from[0], in + at, (size_t)(CHUNK - at))) <= 0)
				wrong("read", -1);
		if (memcmp(in, out, CHUNK))
			wrong("other bytes came back", -1);
		counts->bytes += 2 * CHUNK;
	}
	close(to[1]);
	if (!sockets) {
		close(from[0]);
		close(from[1]);
	}
	wait_for("pipe", pid, false);
}

static volatile sig_atomic_t taken;

static void count_signal(int sig)
{
	(void)sig;
	taken++;
}

/* Four signals there and back; each waits for the other's. */
static void signals(void)
{
	struct sigaction sa = {.sa_handler = count_signal};
	sigset_t block, none;
	pid_t pid;

	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	taken = 0;
	pid = forked();
	for (int i = 1; i <= 4; i++) {
		if (pid)
			kill(pid, SIGUSR1);
		while (taken < i)
			sigsuspend(&none);
		if (!pid)
			kill(getppid(), SIGUSR1);
	}
	if (!pid)
		_exit(LEAF);
	counts->signals += 8;
	wait_for("signals", pid, false);
}

static void killed(void)
{
	pid_t pid = forked();

	while (!pid)
		pause();
	kill(pid, SIGKILL);
	counts->signals++;
	wait_for("SIGKILL", pid, true);
}

static void spawned(void)
{
	char *arguments[] = {"soak", "leaf", NULL};
	pid_t pid;

	errno = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ);
	if (errno)
		wrong("posix_spawn", -1);
	counts->execs++;
	wait_for("posix_spawn", pid, false);
}

static void executed(void)
{
	pid_t pid = forked();

	if (pid == 0)
		become_leaf();
	counts->execs++;
	wait_for("exec", pid, false);
}

/* Shared memory, private memory, and a file that the parent then finds and removes. */
static void remembered(void)
{
	char *shared = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char name[128], text[8] = "";
	pid_t pid;
	int fd;

	if (shared == MAP_FAILED)
		wrong("mmap", -1);
	snprintf(name, sizeof(name), "%s/soak-%d", directory, getpid());
	pid = forked();
	if (pid == 0) {
		char *own =
			mmap(NULL, 256 * KIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		memset(own, 1, 256 * KIB);
		memset(shared, 2, 64 * KIB);
		fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
		_exit(fd >= 0 && write(fd, "content", 7) == 7 ? LEAF : 93);
	}
	wait_for("memory", pid, false);
	fd = open(name, O_RDONLY);
	if (shared[64 * KIB - 1] != 2 || read(fd, text, 7) != 7 || strncmp(text, "content", 7) ||
		unlink(name))
		wrong("what the child left", -1);
	close(fd);
	munmap(shared, 64 * KIB);
}

static void plain(void)
{
	pid_t pid = forked();

	if (pid == 0)
		_exit(LEAF);
	wait_for("fork", pid, false);
}

static _Noreturn void work(int number)
{
	for (int kind = number; counts->left-- > 0 && !counts->wrong; kind++)
		switch (kind % KINDS) {
		case 0: plain(); break;
		case 1: executed(); break;
		case 2: talk(false); break;
		case 3: spawned(); break;
		case 4: signals(); break;
		case 5: talk(true); break;
		case 6: remembered(); break;
		case 7: killed(); break;
		}
	_exit(LEAF);
}

static void share(int workers, long count)
{
	pid_t pids[WORKERS_MAX];

	memset(counts, 0, sizeof(*counts));
	counts->left = count;
	for (int i = 0; i < workers; i++) {
		pids[i] = fork_or_die();
		if (pids[i] == 0)
			work(i);
	}
	for (int i = 0; i < workers; i++)
		wait_for("a worker", pids[i], false);
	say("did %ld %ld %ld %ld", counts->forks, counts->execs, counts->signals, counts->bytes);
}

int main(int argc, char **argv)
{
	char line[32];

	if (argc == 2 && !strcmp(argv[1], "leaf"))
		return LEAF;
	int workers = argc == 3 ? atoi(argv[1]) : 0;
	if (workers < 1 || workers > WORKERS_MAX)
		die("WORKERS DIRECTORY");
	directory = argv[2];
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED)
		die("mmap");
	say("ready");
	for (;;) {
		ssize_t n = read(0, line, sizeof(line) - 1);

		if (n <= 0)
			return finish();
		line[n] = '\0';
		share(workers, atol(line));
	}
}
