/* SPDX-License-Identifier: ISC */
/* Deaths of tracers, of who is traced, and of members that ask each other for memory. */
#include "operations.h"

#include <sys/ptrace.h>
#include <sys/user.h>

static pid_t other;
static int gate[2], number[2];
static volatile long word = 1234;

static void other_waits(void)
{
	char c;

	close(gate[1]);
	_exit(read(gate[0], &c, 1) == 0 ? 0 : 1);
}

static void prepare_other(void)
{
	if (pipe(gate) < 0)
		die("pipe");
	other = sleeper_start(other_waits);
}

/* Whatever became of its tracer, it goes on and ends as it wants. */
static void check_other(void)
{
	int status = -1;

	close(gate[0]);
	close(gate[1]);
	for (int ms = 0; ms < 5000 && waitpid(other, &status, WNOHANG) == 0; ms++)
		usleep(1000);
	if (status) {
		wrong("who was traced: %s", status_text(status));
		kill(other, SIGKILL);
		waitpid(other, NULL, 0);
	}
}

/* The victim traces. */
static void act_trace(void)
{
	struct user_regs_struct regs;
	int status;

	ptrace(PTRACE_SEIZE, other, NULL, (void *)PTRACE_O_TRACESYSGOOD);
	ptrace(PTRACE_INTERRUPT, other, NULL, NULL);
	waitpid(other, &status, __WALL);
	ptrace(PTRACE_GETREGS, other, NULL, &regs);
	ptrace(PTRACE_SETREGS, other, NULL, &regs);
	ptrace(PTRACE_PEEKDATA, other, &word, NULL);
	ptrace(PTRACE_SYSCALL, other, NULL, NULL);
	waitpid(other, &status, __WALL);
	ptrace(PTRACE_DETACH, other, NULL, NULL);
}

/* ---- the victim is traced, by a child of PID 1 that learns its number from a pipe */

static void traces(void)
{
	int status;
	pid_t pid, first;

	if (read(number[0], &first, sizeof(first)) != sizeof(first))
		_exit(1);
	ptrace(PTRACE_SEIZE, first, NULL,
		   (void *)(PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXIT | PTRACE_O_TRACESYSGOOD));
	ptrace(PTRACE_INTERRUPT, first, NULL, NULL);
	while ((pid = waitpid(-1, &status, __WALL)) > 0)
		if (WIFSTOPPED(status))
			ptrace(PTRACE_SYSCALL, pid, NULL,
				   (void *)(status >> 16 || WSTOPSIG(status) & 0x80 ? 0 : (long)WSTOPSIG(status)));
	_exit(0);
}

static void prepare_number(void (*body)(void))
{
	if (pipe(number) < 0)
		die("pipe");
	other = sleeper_start(body);
}

static void prepare_traced(void)
{
	prepare_number(traces);
}

static void ready_number(void)
{
	pid_t pid = getpid();

	if (write(number[1], &pid, sizeof(pid)) != sizeof(pid))
		die("write");
}

static void act_traced(void)
{
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	pid_t pid = fork();
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
}

static void check_number(void)
{
	close(number[0]);
	close(number[1]);
	sleeper_end(other, "who traced or asked the dead waits for it");
	reap_orphans();
}

/* ---- memory */

static void act_ask(void)
{
	struct iovec here = {(void *)&word, sizeof(word)}, there = here;
	char name[64], text[512];

	process_vm_readv(other, &here, 1, &there, 1, 0);
	snprintf(name, sizeof(name), "/proc/%d/maps", other);
	int fd = open(name, O_RDONLY);
	read(fd, text, sizeof(text));
	close(fd);
}

static void asks(void)
{
	struct iovec here = {(void *)&word, sizeof(word)}, there = here;
	pid_t pid;

	if (read(number[0], &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	while (process_vm_readv(pid, &here, 1, &there, 1, 0) == sizeof(word))
		;
	_exit(0);
}

static void prepare_asked(void)
{
	prepare_number(asks);
}

static void act_asked(void)
{
	for (int i = 0; i < 3; i++)
		usleep(500);
}

const struct operation trace_operations[] = {
	{"trace", prepare_other, NULL, act_trace, check_other, 0},
	{"traced", prepare_traced, ready_number, act_traced, check_number, 0},
	{"ask", prepare_other, NULL, act_ask, check_other, 0},
	{"asked", prepare_asked, ready_number, act_asked, check_number, 0},
	{0},
};
