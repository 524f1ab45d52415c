/* SPDX-License-Identifier: ISC */
/*
 * Children, gates, shared memory, signals and clocks for the guest programs; part of guest.h.
 */
#ifndef UNIFORK_TESTS_GUEST_PROCESS_H
#define UNIFORK_TESTS_GUEST_PROCESS_H

static UNUSED const char *status_text(int status)
{
	static char text[64];

	if (WIFEXITED(status))
		snprintf(text, sizeof(text), "exited %d", WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "killed by %s", signal_name(WTERMSIG(status)));
	else if (WIFSTOPPED(status))
		snprintf(text, sizeof(text), "stopped by %s", signal_name(WSTOPSIG(status)));
	else if (WIFCONTINUED(status))
		snprintf(text, sizeof(text), "continued");
	else
		snprintf(text, sizeof(text), "odd status %#x", (unsigned)status);
	return text;
}

static UNUSED pid_t fork_or_die(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	return pid;
}

/* Forks a child that runs body(argument) and exits with what it returns. */
static UNUSED pid_t child_start(int (*body)(void *), void *argument)
{
	pid_t pid = fork_or_die();

	if (pid == 0)
		_exit(body(argument));
	return pid;
}

static UNUSED int child_wait(pid_t pid)
{
	int status = 0;
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got != pid)
		die("waitpid");
	return status;
}

static UNUSED void child_report(const char *name, pid_t pid)
{
	say("%s: %s", name, status_text(child_wait(pid)));
}

/* A gate lets one process wait for others without sleeping: a pipe, one byte for each pass. */
struct gate {
	int fd[2];
};

static UNUSED void gate_make(struct gate *gate)
{
	if (pipe2(gate->fd, O_CLOEXEC) < 0)
		die("pipe2 for a gate");
}

static UNUSED void gate_open(struct gate *gate)
{
	if (write(gate->fd[1], "g", 1) != 1)
		die("write to a gate");
}

static UNUSED void gate_wait(struct gate *gate)
{
	char byte;
	ssize_t got;

	do
		got = read(gate->fd[0], &byte, 1);
	while (got < 0 && errno == EINTR);
	if (got != 1)
		die("read from a gate");
}

static UNUSED void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap of shared memory");
	return memory;
}

static UNUSED void *private_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap of private memory");
	return memory;
}

static UNUSED void on_signal(int number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	if (sigaction(number, &action, NULL) < 0)
		die("sigaction");
}

static UNUSED void on_signal_info(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};

	if (sigaction(number, &action, NULL) < 0)
		die("sigaction");
}

static UNUSED sigset_t signal_set(int first, int second)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, first);
	if (second)
		sigaddset(&set, second);
	return set;
}

static UNUSED void signals_block(int first, int second)
{
	sigset_t set = signal_set(first, second);

	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		die("sigprocmask");
}

static UNUSED void signals_unblock(int first, int second)
{
	sigset_t set = signal_set(first, second);

	if (sigprocmask(SIG_UNBLOCK, &set, NULL) < 0)
		die("sigprocmask");
}

static UNUSED int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) < 0)
		die("clock_gettime");
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static UNUSED void pause_ms(long milliseconds)
{
	struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};

	nanosleep(&time, NULL);
}

#endif
