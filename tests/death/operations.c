/* SPDX-License-Identifier: ISC */
/*
 * The program of a family whose members are killed by step.c; see operations.h. Its argument is a
 * folder of the host with files that are written to and never changed. It must not be run on Linux.
 */
#include "operations.h"

#include <sys/socket.h>

#define SOON_MS 3000

int round_number, victim_status;
const char *host_folder;
static char first_wrong[200];
static volatile uint32_t let_go;

void wrong(const char *format, ...)
{
	va_list args;

	if (first_wrong[0])
		return;
	va_start(args, format);
	vsnprintf(first_wrong, sizeof(first_wrong), format, args);
	va_end(args);
}

void expect_result(const char *what, long result, long expected)
{
	if (result == expected)
		return;
	if (result == -1)
		wrong("%s: %s", what, errno_name(errno));
	else
		wrong("%s: %ld instead of %ld", what, result, expected);
}

bool ready_soon(int fd, short event)
{
	struct pollfd p = {.fd = fd, .events = event};

	return poll(&p, 1, SOON_MS) == 1;
}

void see_end(int fd)
{
	char buffer[5000];
	ssize_t n;

	do {
		if (!ready_soon(fd, POLLIN)) {
			wrong("the other end of the dead's connection sees no end");
			break;
		}
		n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	} while (n > 0);
	close(fd);
}

void see_pair_end(const int pair[2])
{
	close(pair[1]);
	see_end(pair[0]);
}

void see_drained(int reader)
{
	struct pollfd p = {.fd = reader, .events = POLLIN};
	char buffer[5000];

	while (recv(reader, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
		;
	if (poll(&p, 1, 0) != 0)
		wrong("readable, and there is nothing");
}

static char state_of(pid_t pid)
{
	char path[64], text[200] = "";

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	const char *end = strrchr(text, ')');
	close(fd);
	return n > 0 && end ? end[2] : '?';
}

pid_t sleeper_start(void (*body)(void))
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		body();
		_exit(0);
	}
	for (int ms = 0; state_of(pid) != 'S'; ms++) { /* as long as it does not, it proves nothing */
		if (ms == SOON_MS)
			die("a sleeper that does not sleep");
		pause_ms(1);
	}
	return pid;
}

bool sleeper_ended(pid_t pid)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == pid;
}

void sleeper_end(pid_t pid, const char *what)
{
	int status;

	for (int ms = 0; ms < SOON_MS && !sleeper_ended(pid); ms++)
		pause_ms(1);
	if (!sleeper_ended(pid)) {
		wrong("%s", what);
		kill(pid, SIGKILL);
	}
	waitpid(pid, &status, 0);
}

/* step.c looks for this address. */
__attribute__((noreturn, noinline)) void operation_end(void)
{
	_exit(0);
}

void reap_orphans(void)
{
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static const struct operation *find(const char *name)
{
	const struct operation *const tables[] = {
		fd_operations,     process_operations, socket_operations,
		file_operations,   event_operations,   ipc_operations,
		inet_operations,    trace_operations,
	};

	for (size_t i = 0; i < COUNT(tables); i++)
		for (const struct operation *o = tables[i]; o->name; o++)
			if (!strcmp(o->name, name))
				return o;
	return NULL;
}

static __attribute__((noreturn)) void victim(const struct operation *o)
{
	if (o->ready)
		o->ready();
	say("victim %d %d %lx %lx", o->flags, getpid(), (unsigned long)&let_go,
		(unsigned long)operation_end);
	while (!let_go)
		;
	o->act();
	operation_end();
}

/* The family goes on: a process, a pipe, a file and a lock can be had. */
static void try_family(void)
{
	int fd[2], status;
	char c = 0;

	if (pipe(fd) < 0) {
		wrong("afterwards: pipe: %s", errno_name(errno));
		return;
	}
	pid_t pid = fork();
	if (pid == 0)
		_exit(write(fd[1], "x", 1) == 1 ? 0 : 1);
	close(fd[1]);
	if (pid < 0 || read(fd[0], &c, 1) != 1 || read(fd[0], &c, 1) != 0 || c != 'x')
		wrong("afterwards: a child and a pipe: %s", errno_name(errno));
	close(fd[0]);
	if (pid > 0 && (waitpid(pid, &status, 0) != pid || status))
		wrong("afterwards: a child ended with %s", status_text(status));
	int file = open("/tmp/afterwards", O_CREAT | O_RDWR | O_EXCL, 0600);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	if (file < 0 || write(file, "y", 1) != 1 || fcntl(file, F_SETLK, &lock) < 0 ||
		unlink("/tmp/afterwards") < 0)
		wrong("afterwards: a file: %s", errno_name(errno));
	close(file);
}

static void one_round(const struct operation *o)
{
	first_wrong[0] = '\0';
	round_number++;
	if (o->prepare)
		o->prepare();
	pid_t pid = fork_or_die();
	if (pid == 0)
		victim(o);
	victim_status = child_wait(pid);
	if (victim_status && !(WIFSIGNALED(victim_status) && WTERMSIG(victim_status) == SIGKILL))
		wrong("the victim: %s", status_text(victim_status));
	if (o->check)
		o->check();
	try_family();
	if (first_wrong[0])
		say("wrong: %s", first_wrong);
	else
		say("done");
}

static bool next_order(char *order, size_t size)
{
	size_t n = 0;

	while (n < size - 1 && read(STDIN_FILENO, order + n, 1) == 1 && order[n] != '\n')
		n++;
	order[n] = '\0';
	return !strncmp(order, "round ", 6);
}

static void list_all(const struct operation *o)
{
	for (; o->name; o++)
		say("%s", o->name);
}

int main(int argc, char **argv)
{
	char order[100];

	if (argc == 2 && !strcmp(argv[1], "leaf"))
		operation_end();
	if (argc < 2) {
		list_all(fd_operations);
		list_all(process_operations);
		list_all(socket_operations);
		list_all(file_operations);
		list_all(event_operations);
		list_all(ipc_operations);
		list_all(inet_operations);
		list_all(trace_operations);
		return 0;
	}
	host_folder = argv[1];
	if (mkdir(FOLDER, 0700) < 0)
		die(FOLDER);
	signal(SIGPIPE, SIG_IGN);
	say("ready");
	while (next_order(order, sizeof(order))) {
		const struct operation *o = find(order + 6);

		if (!o) {
			say("wrong: no such operation");
			return 1;
		}
		one_round(o);
	}
	return 0;
}
