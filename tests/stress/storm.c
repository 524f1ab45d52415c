/* SPDX-License-Identifier: ISC */
/*
 * A family that bears the death of any member but the first at any moment: PID 1 keeps workers of
 * the kinds given going for a while, whatever becomes of them, and then waits until nobody is left.
 * Natively as in a family it ends with `end`, each child having exited 0 or been killed by SIGKILL.
 *
 *   storm MILLISECONDS FOLDER KIND...     the files worker writes in FOLDER
 *
 * Every worker ends by itself: its loop ends with the time given, and it waits for nothing that the
 * death of its partner does not end.
 * @test timeout=30 members=10000
 */
#include "guest.h"

#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define WORKERS 4

static int64_t end_ns;
static const char *folder, *self_path;
static int serial;

static bool time_left(void)
{
	return clock_ns(CLOCK_MONOTONIC) < end_ns;
}

static bool fine(int status)
{
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
	       (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* A fork that cannot be had is a failure of the family: nothing here comes near a limit. */
static pid_t fork_here(void)
{
	fflush(NULL);
	return fork_or_die();
}

static void reap(pid_t pid)
{
	int status = child_wait(pid);

	if (!fine(status)) {
		say("a child: %s", status_text(status));
		_exit(90);
	}
}

static void work_forks(void)
{
	while (time_left()) {
		pid_t pid = fork_here();

		if (pid == 0) {
			pid_t grandchild = fork_here();

			if (grandchild == 0)
				_exit(0);
			if (serial++ & 1)
				reap(grandchild);
			_exit(0);
		}
		reap(pid);
	}
}

static pid_t leaf_start(bool shared)
{
	static char *arguments[] = {"storm", "leaf", NULL};
	pid_t pid = shared ? vfork() : fork();

	if (pid == 0) {
		execv(self_path, arguments);
		_exit(91);
	}
	if (pid < 0)
		die("fork of execs");
	return pid;
}

static void work_execs(void)
{
	for (int i = 0; time_left(); i++)
		reap(leaf_start(i % 3));
}

/* Ends with its parent: what it waits for or is stopped by comes from there alone. */
static void follow(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
}

/* The writer sees EPIPE when the reader dies, the reader EOF when the writer dies. */
static void work_pipes(void)
{
	static char block[20000];
	int data[2], back[2];
	int64_t sum = 0;
	pid_t pid;

	if (pipe(data) < 0 || pipe(back) < 0)
		die("pipe");
	pid = fork_here();
	if (pid == 0) {
		ssize_t n;

		close(data[1]);
		close(back[0]);
		while ((n = read(data[0], block, sizeof(block))) > 0)
			for (ssize_t i = 0; i < n; i += 997)
				if (write(back[1], block, 1) != 1)
					_exit(errno == EPIPE ? 0 : 92);
		_exit(n == 0 ? 0 : 93);
	}
	close(data[0]);
	close(back[1]);
	fcntl(back[0], F_SETFL, O_NONBLOCK);
	while (time_left()) {
		ssize_t n = write(data[1], block, 1 + (size_t)(sum++ * 7919 % (int)sizeof(block)));

		if (n < 0 && errno != EPIPE)
			die("write to a pipe");
		if (n < 0)
			break;
		while (read(back[0], block, sizeof(block)) > 0)
			;
	}
	close(data[1]);
	fcntl(back[0], F_SETFL, 0);
	while (read(back[0], block, sizeof(block)) > 0)
		;
	reap(pid);
}

/* Answers until its listener's last client, the worker, is gone. */
static __attribute__((noreturn)) void serve(int listener, bool polls)
{
	char byte;

	for (;;) {
		struct pollfd p = {listener, POLLIN, 0};
		int s;

		if (polls)
			poll(&p, 1, -1);
		s = accept(listener, NULL, NULL);
		while (s >= 0 && read(s, &byte, 1) == 1)
			if (write(s, &byte, 1) != 1)
				break;
		close(s);
	}
}

/* Two servers that share a listener, of which the worker keeps no descriptor. */
static struct sockaddr_in servers_start(pid_t *server)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(a);
	pid_t self = getpid();

	if (listener < 0 || bind(listener, (struct sockaddr *)&a, len) < 0 || listen(listener, 1) < 0)
		die("listener");
	getsockname(listener, (struct sockaddr *)&a, &len);
	for (int i = 0; i < 2; i++) {
		server[i] = fork_here();
		if (server[i] == 0) {
			follow(self);
			serve(listener, i);
		}
	}
	close(listener);
	return a;
}

/* False: nobody serves any more. times < 0: it does not even wait to be connected. */
static bool ask(const struct sockaddr_in *a, int times)
{
	int s = socket(AF_INET, SOCK_STREAM | (times < 0 ? SOCK_NONBLOCK : 0), 0);
	bool there;
	char byte = 'x';

	if (s < 0)
		die("socket");
	there = connect(s, (const struct sockaddr *)a, sizeof(*a)) == 0;
	if (times < 0) {
		there = there || errno == EINPROGRESS;
		times = 0;
	}
	if (!there && errno != ECONNREFUSED && errno != ECONNRESET)
		die("connect");
	while (there && times-- && write(s, &byte, 1) == 1 && read(s, &byte, 1) == 1)
		;
	close(s);
	return there;
}

/* Whoever dies: who is connected to him sees an end, who waits for his listener a refusal. */
static void work_sockets(void)
{
	pid_t server[2], helper, self = getpid();

	while (time_left()) {
		struct sockaddr_in a = servers_start(server);

		helper = fork_here();
		if (helper == 0) {
			follow(self);
			for (int i = 0; time_left() && ask(&a, i % 4 - 1); i++)
				;
			_exit(0);
		}
		for (int i = 0; time_left() && ask(&a, i % 4); i++)
			;
		for (int i = 0; i < 2; i++) {
			kill(server[i], SIGKILL);
			reap(server[i]);
		}
		reap(helper);
	}
}

static void work_files(void)
{
	char name[300], other[300], text[] = "written inside the family\n";

	for (int i = 0; time_left(); i++) {
		snprintf(name, sizeof(name), "%s/new-%d", folder, i % 50);
		snprintf(other, sizeof(other), "%s/renamed-%d", folder, i % 50);
		int fd = open(i & 1 ? name : "/tmp/appended", O_CREAT | O_WRONLY | O_APPEND, 0644);

		if (fd < 0 && errno != ENOENT)
			die("open for writing");
		for (int k = 0; fd >= 0 && k < 5; k++)
			write(fd, text, sizeof(text) - 1);
		close(fd);
		rename(name, other);
		snprintf(name, sizeof(name), "%s/host-%d", folder, i % 8);
		fd = open(name, O_RDWR | (i % 3 ? 0 : O_TRUNC));
		if (fd >= 0)
			pwrite(fd, text, sizeof(text) - 1, i % 100);
		close(fd);
		chmod(name, 0600 + i % 8);
		if (i % 5 == 0)
			unlink(name);
		if (i % 7 == 0)
			unlink(other);
		snprintf(name, sizeof(name), "%s/sub-%d", folder, i % 4);
		mkdir(name, 0700);
		rmdir(name);
	}
}

/* All workers want the same bytes: the death of a holder has to let the others have them. */
static void work_locks(void)
{
	int fd = open("/tmp/locked", O_CREAT | O_RDWR, 0600);

	while (time_left()) {
		struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};

		lock.l_start = serial++ % 20;
		if (fcntl(fd, F_SETLKW, &lock) < 0)
			die("F_SETLKW");
		lock.l_type = F_UNLCK;
		if (fcntl(fd, F_SETLK, &lock) < 0)
			die("F_SETLK");
	}
}

static volatile sig_atomic_t pinged, child_gone;

static void take(int number)
{
	if (number == SIGUSR1)
		pinged = 1;
	else
		child_gone = 1;
}

/* Both send only in reply; a partner's death ends the other by SIGCHLD or by PR_SET_PDEATHSIG. */
static void work_signals(void)
{
	sigset_t none;
	pid_t pid, parent = getpid();

	sigemptyset(&none);
	on_signal(SIGUSR1, take, 0);
	on_signal(SIGCHLD, take, 0);
	signals_block(SIGUSR1, SIGCHLD);
	pid = fork_here();
	if (pid == 0) {
		follow(parent);
		for (;;) {
			sigsuspend(&none);
			kill(parent, SIGUSR1);
		}
	}
	while (time_left() && !child_gone) {
		pinged = 0;
		kill(pid, SIGUSR1);
		while (!pinged && !child_gone)
			sigsuspend(&none);
	}
	kill(pid, SIGKILL);
	signals_unblock(SIGUSR1, SIGCHLD);
	reap(pid);
}

static void work_stops(void)
{
	pid_t self = getpid();

	while (time_left()) {
		int status = 0, ready[2];
		char byte;

		if (pipe(ready) < 0)
			die("pipe");
		pid_t pid = fork_here();
		if (pid == 0) {
			/* Stopped before it follows, it would outlive its parent and stay stopped. */
			follow(self);
			write(ready[1], "r", 1);
			while (time_left())
				;
			_exit(0);
		}
		close(ready[1]);
		bool started = read(ready[0], &byte, 1) == 1;
		close(ready[0]);
		for (int i = 0; started && i < 5; i++) {
			kill(pid, SIGSTOP);
			if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
				break;
			kill(pid, SIGCONT);
			if (waitpid(pid, &status, WCONTINUED) != pid || !WIFCONTINUED(status))
				break;
		}
		if (WIFEXITED(status) || WIFSIGNALED(status))
			continue;
		kill(pid, SIGKILL);
		reap(pid);
	}
}

static const struct kind {
	const char *name;
	void (*work)(void);
} kinds[] = {
	{"forks", work_forks}, {"execs", work_execs},     {"pipes", work_pipes},
	{"files", work_files}, {"signals", work_signals}, {"stops", work_stops},
	{"locks", work_locks}, {"sockets", work_sockets},
};

static pid_t worker_start(const char *name)
{
	pid_t pid = fork_here();

	if (pid)
		return pid;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (!strcmp(kinds[i].name, name)) {
			kinds[i].work();
			_exit(0);
		}
	}
	_exit(94);
}

int main(int argc, char **argv)
{
	pid_t workers[WORKERS] = {0}, pid;
	int next = 0, status;

	if (argc == 2)
		_exit(0); /* leaf */
	if (argc < 4)
		_exit(2);
	self_path = argv[0];
	folder = argv[2];
	signal(SIGPIPE, SIG_IGN);
	end_ns = clock_ns(CLOCK_MONOTONIC) + atol(argv[1]) * 1000000;
	say("ready");
	for (;;) {
		for (int i = 0; i < WORKERS && time_left(); i++)
			if (!workers[i])
				workers[i] = worker_start(argv[3 + next++ % (argc - 3)]);
		pid = waitpid(-1, &status, 0);
		if (pid < 0)
			break;
		for (int i = 0; i < WORKERS; i++)
			if (workers[i] == pid)
				workers[i] = 0;
		if (!fine(status))
			die(status_text(status));
	}
	say("end");
	return 0;
}
