/* SPDX-License-Identifier: ISC */
/*
 * Thousands of rounds of whatever blocks and is woken: one lost wake-up is a hang. Two processes
 * each time, so both processors are busy; the case keeps them busier still.
 *
 *   wakeups KIND ROUNDS
 * @test timeout=120 members=10000
 */
#include "guest.h"

#include <linux/futex.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>

extern char **environ;

static void pipes(int rounds)
{
	struct gate there, back;

	gate_make(&there);
	gate_make(&back);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		for (int i = 0; i < rounds; i++) {
			gate_wait(&there);
			gate_open(&back);
		}
		_exit(0);
	}
	for (int i = 0; i < rounds; i++) {
		gate_open(&there);
		gate_wait(&back);
	}
	child_report("partner", pid);
}

/* Both ends poll: readiness has to wake, too. */
static void polls(int rounds)
{
	struct gate there, back;

	gate_make(&there);
	gate_make(&back);
	pid_t pid = fork_or_die();
	for (int i = 0; i < rounds; i++) {
		struct pollfd fd = {.fd = pid ? back.fd[0] : there.fd[0], .events = POLLIN};

		if (pid)
			gate_open(&there);
		if (poll(&fd, 1, -1) != 1)
			die("poll");
		gate_wait(pid ? &back : &there);
		if (!pid)
			gate_open(&back);
	}
	if (!pid)
		_exit(0);
	child_report("partner", pid);
}

static void futex_until(uint32_t *word, uint32_t value)
{
	uint32_t now;

	while ((now = __atomic_load_n(word, __ATOMIC_SEQ_CST)) != value)
		syscall(SYS_futex, word, FUTEX_WAIT, now, NULL, NULL, 0);
}

static void futexes(int rounds)
{
	uint32_t *word = shared_memory(4096);
	pid_t pid = fork_or_die();

	/* Odd numbers are the child's to store, even ones the parent's. */
	for (int i = 0; i < rounds; i++) {
		uint32_t mine = 2 * (uint32_t)i + (pid ? 2 : 1);

		futex_until(word, mine - 1);
		__atomic_store_n(word, mine, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
	if (!pid)
		_exit(0);
	child_report("partner", pid);
}

static void waits(int rounds)
{
	int right = 0;

	for (int i = 0; i < rounds; i++) {
		pid_t pid = fork_or_die();

		if (pid == 0)
			_exit(i & 63);
		int status = child_wait(pid);
		right += WIFEXITED(status) && WEXITSTATUS(status) == (i & 63);
	}
	check("all statuses right", right == rounds);
}

static volatile sig_atomic_t children, pings;

static void on_child(int number)
{
	children++;
}

static void on_ping(int number)
{
	pings++;
}

/* A shell's loop: SIGCHLD blocked but in sigsuspend. */
static void suspends(int rounds)
{
	sigset_t none;

	sigemptyset(&none);
	on_signal(SIGCHLD, on_child, 0);
	signals_block(SIGCHLD, 0);
	for (int i = 0; i < rounds; i++) {
		children = 0;
		pid_t pid = fork_or_die();
		if (pid == 0)
			_exit(0);
		while (!children)
			sigsuspend(&none);
		if (waitpid(pid, NULL, WNOHANG) != pid)
			die("no child after SIGCHLD");
	}
	say("all children seen");
}

static void signals(int rounds)
{
	pid_t pid, parent = getpid();
	sigset_t none;

	sigemptyset(&none);
	on_signal(SIGUSR1, on_ping, 0);
	signals_block(SIGUSR1, 0);
	pid = fork_or_die();
	for (int i = 0; i < rounds; i++) {
		if (pid)
			kill(pid, SIGUSR1);
		while (!pings)
			sigsuspend(&none);
		pings = 0;
		if (!pid)
			kill(parent, SIGUSR1);
	}
	if (!pid)
		_exit(0);
	child_report("partner", pid);
}

static void stops(int rounds)
{
	pid_t pid = fork_or_die();
	int right = 0, status;

	if (pid == 0)
		for (volatile long i = 0;; i++)
			;
	for (int i = 0; i < rounds; i++) {
		kill(pid, SIGSTOP);
		right += waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status);
		kill(pid, SIGCONT);
		right += waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status);
	}
	kill(pid, SIGKILL);
	child_report("the stopped one", pid);
	check("all stops and continues seen", right == 2 * rounds);
}

/* Killed at any moment of vfork, exec and start: an ordinary death, never a hang. */
static void execs(int rounds)
{
	char *arguments[] = {"wakeups", "sleeper", "0", NULL};
	int right = 0;

	for (int i = 0; i < rounds; i++) {
		pid_t pid;

		if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ))
			die("posix_spawn");
		for (volatile int spin = 0; spin < i % 40 * 20000; spin++)
			;
		kill(pid, SIGKILL);
		int status = child_wait(pid);
		right += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	}
	check("all killed", right == rounds);
}

/* The children of one parent end while it forks, waits and is told, all at once. */
static void crowd(int rounds)
{
	int right = 0, running = 0, status;

	for (int i = 0; i < rounds || running;) {
		if (i < rounds && running < 8) {
			pid_t pid = fork_or_die();

			if (pid == 0)
				_exit(5);
			i++;
			running++;
			continue;
		}
		if (waitpid(-1, &status, 0) > 0) {
			running--;
			right += WIFEXITED(status) && WEXITSTATUS(status) == 5;
		}
	}
	check("everybody waited for", right == rounds);
}

static __attribute__((noreturn)) void connect_often(const struct sockaddr_in *a, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		int s = socket(AF_INET, SOCK_STREAM | (i & 1 ? SOCK_NONBLOCK : 0), 0);
		int r = connect(s, (const struct sockaddr *)a, sizeof(*a));
		struct pollfd p = {s, POLLOUT, 0};
		char byte = 'x';

		if (r < 0 && (errno != EINPROGRESS || poll(&p, 1, -1) != 1))
			die("connect");
		fcntl(s, F_SETFL, 0);
		if (write(s, &byte, 1) != 1 || read(s, &byte, 1) != 1)
			die("connection");
		close(s);
	}
	_exit(0);
}

/* The listener has room for one: most connects wait, and are told by an accept. */
static void sockets(int rounds)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(a);
	pid_t client[3];

	if (listener < 0 || bind(listener, (struct sockaddr *)&a, len) < 0 || listen(listener, 0) < 0)
		die("listen");
	getsockname(listener, (struct sockaddr *)&a, &len);
	for (int i = 0; i < 3; i++) {
		client[i] = fork_or_die();
		if (client[i] == 0)
			connect_often(&a, rounds);
	}
	for (int i = 0; i < 3 * rounds; i++) {
		struct pollfd p = {listener, POLLIN, 0};
		char byte;

		if (i & 1 && poll(&p, 1, -1) != 1)
			die("poll");
		int s = accept(listener, NULL, NULL);
		if (s < 0 || read(s, &byte, 1) != 1 || write(s, &byte, 1) != 1)
			die("accepted");
		close(s);
	}
	for (int i = 0; i < 3; i++)
		child_report("client", client[i]);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(int rounds);
	} kinds[] = {
		{"pipes", pipes},     {"polls", polls},     {"futexes", futexes},
		{"waits", waits},     {"suspends", suspends}, {"signals", signals},
		{"stops", stops},     {"execs", execs},     {"crowd", crowd},
		{"sockets", sockets},
	};

	if (argc != 3)
		return 2;
	if (!strcmp(argv[1], "sleeper"))
		for (;;)
			pause();
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (!strcmp(kinds[i].name, argv[1]))
			kinds[i].run(atoi(argv[2]));
	return finish();
}
