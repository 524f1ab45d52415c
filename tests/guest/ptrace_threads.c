/* SPDX-License-Identifier: ISC */
/*
 * A process that shares memory with the one that made it stops that one's threads, looks at their
 * registers and lets them go, as leak checkers do; what happens if it dies meanwhile.
 * @test timeout=30 members=4
 */
#include "guest.h"

#include <elf.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#define THREADS 3
#define MARK 0x1122334455667788ul

static volatile unsigned long counter;
static volatile pid_t tids[THREADS + 1];
static char *stacks[THREADS];
static volatile int stop;
static int never[2];
static char tracer_stack[256 * 1024] __attribute__((aligned(16)));

static void *computes(void *arg)
{
	tids[(long)arg] = (pid_t)syscall(SYS_gettid);
	/* A register that is nowhere in memory. */
	register unsigned long mark __asm__("r15") = MARK;
	while (!stop) {
		__asm__ volatile("" : "+r"(mark));
		counter++;
	}
	return NULL;
}

static void *reads(void *arg)
{
	char c;

	tids[(long)arg] = (pid_t)syscall(SYS_gettid);
	return read(never[0], &c, 1) == 1 ? NULL : arg;
}

static bool running(unsigned long from)
{
	for (unsigned i = 0; i < 2000 && counter == from; i++)
		usleep(1000);
	return counter != from;
}

static void look(unsigned i)
{
	struct user_regs_struct regs, again;
	struct user_fpregs_struct fp;
	struct iovec iov = {&again, sizeof(again)};
	pid_t tid = tids[i];
	char *sp;

	result("GETREGS", (int)ptrace(PTRACE_GETREGS, tid, NULL, &regs));
	result("GETREGSET", (int)ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &iov));
	check("all of them", iov.iov_len == sizeof(regs));
	check("the same", !memcmp(&regs, &again, sizeof(regs)));
	sp = (char *)regs.rsp;
	if (i < THREADS)
		check("on its stack", sp > stacks[i] && sp < stacks[i] + 256 * KIB);
	if (i == 0)
		check("its register", regs.r15 == MARK);
	if (i == 1)
		check("in read", regs.orig_rax == SYS_read && (int)regs.rdi == never[0]);
	check("its thread pointer", regs.fs_base != 0);
	result("GETFPREGS", (int)ptrace(PTRACE_GETFPREGS, tid, NULL, &fp));
	check("mxcsr", (fp.mxcsr & ~0x3fu) == 0x1f80);
	iov = (struct iovec){&again, sizeof(again)};
	result("no such set", (int)ptrace(PTRACE_GETREGSET, tid, (void *)0x7777, &iov));
	errno = 0;
	check("PEEKUSER", (unsigned long)ptrace(PTRACE_PEEKUSER, tid,
										   (void *)offsetof(struct user_regs_struct, rsp), NULL) ==
						  regs.rsp);
	check("PEEKDATA", ptrace(PTRACE_PEEKDATA, tid, (void *)&tids[0], NULL) ==
						  *(const volatile long *)&tids[0]);
}

static int traces(void *arg)
{
	unsigned long before;
	int status;

	result("not attached", (int)ptrace(PTRACE_GETREGS, tids[0], NULL, &status));
	result("itself", (int)ptrace(PTRACE_ATTACH, getpid(), NULL, NULL));
	result("nobody", (int)ptrace(PTRACE_ATTACH, 999999, NULL, NULL));
	for (unsigned i = 0; i <= THREADS; i++) {
		result("ATTACH", (int)ptrace(PTRACE_ATTACH, tids[i], NULL, NULL));
		check("wait", waitpid(tids[i], &status, __WALL) == tids[i]);
		check("SIGSTOP", WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
		result("twice", (int)ptrace(PTRACE_ATTACH, tids[i], NULL, NULL));
	}
	check("nothing more", waitpid(-1, &status, __WALL | WNOHANG) == 0);
	before = counter;
	usleep(30000);
	check("it stands still", counter == before);
	for (unsigned i = 0; i <= THREADS; i++)
		look(i);
	result("unknown request", (int)ptrace(0x1234, tids[0], NULL, NULL));
	result("CONT", (int)ptrace(PTRACE_CONT, tids[0], NULL, NULL));
	check("it runs", running(before));
	result("registers of who runs", (int)ptrace(PTRACE_GETREGS, tids[0], NULL, &status));
	for (unsigned i = 1; i <= THREADS; i++)
		result("DETACH", (int)ptrace(PTRACE_DETACH, tids[i], NULL, NULL));
	result("after it", (int)ptrace(PTRACE_GETREGS, tids[1], NULL, &status));
	return arg ? 3 : 0;
}

/* Leaves them stopped. */
static int dies(void *arg)
{
	int status;

	for (unsigned i = 0; i <= THREADS; i++) {
		ptrace(PTRACE_ATTACH, tids[i], NULL, NULL);
		waitpid(tids[i], &status, __WALL);
	}
	_exit(arg ? 4 : 0);
}

static int trace(int (*fn)(void *))
{
	int status;
	pid_t tracer = clone(fn, tracer_stack + sizeof(tracer_stack), CLONE_VM | CLONE_FS | CLONE_FILES,
						 &status);

	if (tracer < 0 || waitpid(tracer, &status, __WALL) != tracer)
		die("clone");
	return WEXITSTATUS(status);
}

static void start(pthread_t *thread, unsigned i, void *(*fn)(void *))
{
	pthread_attr_t attr;

	stacks[i] = mmap(NULL, 256 * KIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stacks[i], 256 * KIB);
	if (pthread_create(thread, &attr, fn, (void *)(long)i))
		die("thread");
	while (!tids[i])
		usleep(100);
}

/* Somebody else kills a process whose threads are held. */
static int holds(void *arg)
{
	int status;

	ptrace(PTRACE_ATTACH, tids[0], NULL, NULL);
	waitpid(tids[0], &status, __WALL);
	if (write(*(int *)arg, "x", 1) != 1)
		_exit(1);
	waitpid(tids[0], &status, __WALL); /* natively its parent hears of the death after this */
	_exit(0);
}

static void killed(void)
{
	int told[2], status;
	char c;
	pid_t child;

	if (pipe(told))
		die("pipe");
	child = fork();
	if (!child) {
		tids[0] = getpid();
		clone(holds, tracer_stack + sizeof(tracer_stack), CLONE_VM, &told[1]);
		pause();
		_exit(0);
	}
	check("held", read(told[0], &c, 1) == 1);
	kill(child, SIGKILL);
	check("reaped", waitpid(child, &status, 0) == child);
	check("killed", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static int seizes(void *arg)
{
	int (*ends)[2] = arg;
	char c;

	ptrace(PTRACE_SEIZE, tids[0], NULL, NULL);
	if (write(ends[0][1], "x", 1) != 1 || read(ends[1][0], &c, 1) != 1)
		_exit(1);
	_exit(0);
}

static int tracer_of_self(void)
{
	char text[4096] = "";
	int fd = open("/proc/self/status", O_RDONLY);
	const char *line;

	read_all(fd, text, sizeof(text) - 1);
	close(fd);
	line = strstr(text, "\nTracerPid:\t");
	return line ? atoi(line + strlen("\nTracerPid:\t")) : -1;
}

/* A child of who is traced is not. */
static void forks(void)
{
	int ends[2][2], status;
	pid_t tracer, child;
	char c;

	if (pipe(ends[0]) || pipe(ends[1]))
		die("pipe");
	/* A stop for the tracer, which does not wait; as PID 1 it hears of orphans as well. */
	signals_block(SIGCHLD, SIGCHLD);
	tids[0] = getpid();
	tracer = clone(seizes, tracer_stack + sizeof(tracer_stack), CLONE_VM, ends);
	check("seized", read(ends[0][0], &c, 1) == 1);
	check("traced", tracer_of_self() == tracer);
	child = fork_or_die();
	if (!child) {
		say("tracer of the child: %d", tracer_of_self());
		_exit(0);
	}
	check("child", waitpid(child, &status, 0) == child && !status);
	write_all(ends[1][1], "x", 1);
	check("tracer", waitpid(tracer, &status, __WALL) == tracer && !status);
	check("traced no more", tracer_of_self() == 0);
}

int main(void)
{
	pthread_t threads[THREADS];

	if (pipe(never))
		die("pipe");
	start(&threads[0], 0, computes);
	start(&threads[1], 1, reads);
	start(&threads[2], 2, reads);
	tids[THREADS] = getpid();
	usleep(10000); /* for those that read to be asleep */
	say("tracer: %d", trace(traces));
	say("tracer that dies: %d", trace(dies));
	check("all run", running(counter));
	if (write(never[1], "ab", 2) != 2)
		die("write");
	stop = 1;
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	killed();
	forks();
	return finish();
}
