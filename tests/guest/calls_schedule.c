/* SPDX-License-Identifier: ISC */
/*
 * Priorities, scheduling classes, affinity, resource limits, personality and barriers: what is set
 * is what is read, and what is wrong is refused.
 * @test timeout=30 members=4 root
 */
#include "guest.h"
#include <linux/membarrier.h>
#include <sys/personality.h>

static void priorities(void)
{
	/* The call itself answers 20 - nice. */
	result("not nice", setpriority(PRIO_PROCESS, 0, 0)); /* whatever the tests run at */
	result("getpriority", syscall(SYS_getpriority, PRIO_PROCESS, 0));
	result("setpriority", syscall(SYS_setpriority, PRIO_PROCESS, 0, 7));
	result("getpriority", syscall(SYS_getpriority, PRIO_PROCESS, 0));
	result("too nice", syscall(SYS_setpriority, PRIO_PROCESS, 0, 99));
	result("getpriority", syscall(SYS_getpriority, PRIO_PROCESS, 0));
	result("wrong kind", syscall(SYS_getpriority, 9, 0));
	result("nobody", syscall(SYS_setpriority, PRIO_PROCESS, 999999, 1));
	pid_t pid = fork();
	if (pid == 0) {
		result("inherited", syscall(SYS_getpriority, PRIO_PROCESS, 0));
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	setpriority(PRIO_PROCESS, 0, 0);
}

/* Class and level in one number; kinds 1, 2, 3: a process, a group, a user. */
static void io_priorities(void)
{
	result("io", syscall(SYS_ioprio_get, 1, 0));
	result("io best effort", syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6));
	result("io", syscall(SYS_ioprio_get, 1, getpid()));
	result("io idle", syscall(SYS_ioprio_set, 1, 0, 3 << 13));
	result("io", syscall(SYS_ioprio_get, 1, 0));
	pid_t pid = fork();
	if (pid == 0) {
		result("io inherited", syscall(SYS_ioprio_get, 1, 0));
		setpgid(0, 0);
		result("io none", syscall(SYS_ioprio_set, 1, 0, 0));
		result("io", syscall(SYS_ioprio_get, 1, 0));
		result("io of the group, from nice", syscall(SYS_ioprio_get, 2, 0));
		setpriority(PRIO_PROCESS, 0, 10);
		result("io nicer", syscall(SYS_ioprio_get, 2, 0));
		result("io group", syscall(SYS_ioprio_set, 2, 0, 2 << 13 | 1));
		result("io", syscall(SYS_ioprio_get, 1, 0));
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	result("io class", syscall(SYS_ioprio_set, 1, 0, 5 << 13));
	result("io level without a class", syscall(SYS_ioprio_set, 1, 0, 3));
	result("io kind", syscall(SYS_ioprio_set, 4, 0, 0));
	result("io kind", syscall(SYS_ioprio_get, 0, 0));
	result("io nobody", syscall(SYS_ioprio_get, 1, 999999));
	result("io nobody", syscall(SYS_ioprio_set, 1, 999999, 0));
	result("io none", syscall(SYS_ioprio_set, 1, 0, 0));
}

static void classes(void)
{
	struct sched_param param = {.sched_priority = 0}, wrong = {.sched_priority = 5};

	say("fifo: %ld to %ld", syscall(SYS_sched_get_priority_min, SCHED_FIFO),
		syscall(SYS_sched_get_priority_max, SCHED_FIFO));
	say("other: %ld to %ld", syscall(SYS_sched_get_priority_min, SCHED_OTHER),
		syscall(SYS_sched_get_priority_max, SCHED_OTHER));
	result("unknown class", syscall(SYS_sched_get_priority_max, 77));
	result("getscheduler", syscall(SYS_sched_getscheduler, 0));
	result("getparam", syscall(SYS_sched_getparam, 0, &wrong));
	say("priority %d", wrong.sched_priority);
	wrong.sched_priority = 5;
	result("batch", syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &param));
	result("getscheduler", syscall(SYS_sched_getscheduler, 0));
	result("other with a priority", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &wrong));
	result("setparam", syscall(SYS_sched_setparam, 0, &param));
	result("setparam wrong", syscall(SYS_sched_setparam, 0, &wrong));
	result("nobody", syscall(SYS_sched_getscheduler, 999999));
	result("other", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &param));
}

static void processors(void)
{
	unsigned cpu = ~0U, node = ~0U;
	cpu_set_t set, one;

	CPU_ZERO(&set);
	check("getaffinity", syscall(SYS_sched_getaffinity, 0, sizeof(set), &set) > 0);
	result("getcpu", syscall(SYS_getcpu, &cpu, &node, NULL));
	check("a processor of the set", CPU_ISSET(cpu, &set));
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	result("setaffinity", syscall(SYS_sched_setaffinity, 0, sizeof(one), &one));
	CPU_ZERO(&set);
	syscall(SYS_sched_getaffinity, 0, sizeof(set), &set);
	check("only that one", CPU_COUNT(&set) == 1 && CPU_ISSET(cpu, &set));
	CPU_ZERO(&one);
	result("no processor", syscall(SYS_sched_setaffinity, 0, sizeof(one), &one));
	result("sched_yield", syscall(SYS_sched_yield));
}

static void limits(void)
{
	struct rlimit limit;

	result("getrlimit", syscall(SYS_getrlimit, RLIMIT_NOFILE, &limit));
	check("soft below hard", limit.rlim_cur <= limit.rlim_max);
	limit.rlim_cur = 64;
	result("setrlimit", syscall(SYS_setrlimit, RLIMIT_NOFILE, &limit));
	result("dup beyond", dup2(0, 64));
	result("dup within", dup2(0, 63));
	limit.rlim_cur = limit.rlim_max + 1;
	result("soft above hard", syscall(SYS_setrlimit, RLIMIT_NOFILE, &limit));
	result("unknown", syscall(SYS_getrlimit, 99, &limit));
}

static void others(void)
{
	result("personality", personality(0xffffffff));
	result("no randomisation", personality(ADDR_NO_RANDOMIZE));
	say("personality: %x", personality(0xffffffff));
	personality(0);
	long offered = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
	check("barriers", offered > 0 && (offered & MEMBARRIER_CMD_PRIVATE_EXPEDITED));
	result("not registered", syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	result("register", syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	result("barrier", syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	result("wrong", syscall(SYS_membarrier, 1 << 30, 0, 0));
}

int main(void)
{
	priorities();
	io_priorities();
	classes();
	processors();
	limits();
	others();
	return finish();
}
