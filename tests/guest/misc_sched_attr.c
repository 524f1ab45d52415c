/* SPDX-License-Identifier: ISC */
/*
 * sched_setattr and sched_getattr of ordinary classes, their sizes and flags; kcmp of processes
 * that share and that do not.
 * @test timeout=20 members=3
 */
#define _GNU_SOURCE
#include <linux/kcmp.h>
#include <sched.h>
#include <sys/syscall.h>

#include "guest.h"

struct attr {
	unsigned size, policy;
	unsigned long long flags;
	int nice;
	unsigned priority;
	unsigned long long runtime, deadline, period;
	unsigned util_min, util_max;
};

static long set(pid_t pid, struct attr *a, unsigned flags)
{
	return syscall(SYS_sched_setattr, pid, a, flags);
}

static long get(pid_t pid, struct attr *a, unsigned size, unsigned flags)
{
	memset(a, 0, sizeof(*a));
	return syscall(SYS_sched_getattr, pid, a, size, flags);
}

static void classes(void)
{
	struct attr a = {.size = 48, .policy = SCHED_BATCH, .nice = 5}, now;

	result("batch, nice 5", set(0, &a, 0));
	result("read", get(0, &now, 48, 0));
	say("policy %u nice %d priority %u", now.policy, now.nice, now.priority);
	result("read with flags", get(0, &now, 48, 1));
	result("read into too little", get(0, &now, 40, 0));
	a = (struct attr){.size = 48, .policy = 77};
	result("no such class", set(0, &a, 0));
	a = (struct attr){.size = 48, .policy = SCHED_OTHER, .priority = 3, .nice = 5};
	result("priority of an ordinary class", set(0, &a, 0));
	a = (struct attr){.size = 40, .policy = SCHED_OTHER, .nice = 5};
	result("too small", set(0, &a, 0));
	a = (struct attr){.size = 48, .policy = SCHED_OTHER, .nice = 5};
	result("flags of the call", set(0, &a, 1));
	result("nobody", set(999999, &a, 0));
	result("other, nice 5", set(0, &a, 0));
}

static long same(pid_t a, pid_t b, int what)
{
	return syscall(SYS_kcmp, a, b, what, 0, 0);
}

static void compare(void)
{
	int fd[2], again;
	pid_t pid;

	if (pipe(fd) < 0 || (again = dup(fd[0])) < 0)
		die("pipe, dup");
	pid = fork_or_die();
	if (pid == 0) {
		char c;

		close(fd[1]);
		_exit(read(fd[0], &c, 1) != 0);
	}
	say("file and its duplicate: %ld",
		syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd[0], again));
	say("file and another: %d",
		syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd[0], fd[1]) > 0);
	say("file of a child: %ld", syscall(SYS_kcmp, getpid(), pid, KCMP_FILE, fd[0], fd[0]));
	say("own memory: %ld", same(getpid(), getpid(), KCMP_VM));
	say("a child's memory: %d", same(getpid(), pid, KCMP_VM) > 0);
	say("a child's descriptors: %d", same(getpid(), pid, KCMP_FILES) > 0);
	result("closed descriptor", syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd[0], 99));
	result("no such kind", same(getpid(), getpid(), 99));
	result("nobody", same(getpid(), 999999, KCMP_VM));
	close(fd[1]);
	close(fd[0]);
	close(again);
	child_report("child", pid);
}

int main(void)
{
	classes();
	compare();
	return 0;
}
