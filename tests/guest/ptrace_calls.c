/* SPDX-License-Identifier: ISC */
/*
 * System calls of a traced process: the two stops of each, their numbers, arguments and results,
 * which the tracer changes; calls that are not made; one that a signal interrupts and that is made
 * again; the call that is exec.
 * @test timeout=30 members=6
 */
#include "guest_trace.h"

static struct gate gate;

static const char *call_name(long number)
{
	switch (number) {
	case SYS_getppid: return "getppid";
	case SYS_getuid: return "getuid";
	case SYS_dup: return "dup";
	case SYS_read: return "read";
	case SYS_pause: return "pause";
	case SYS_umask: return "umask";
	case SYS_execve: return "execve";
	case SYS_exit_group: return "exit_group";
	case SYS_rt_sigreturn: return "rt_sigreturn";
	case SYS_restart_syscall: return "restart_syscall";
	default: return "other";
	}
}

/* What the stop is, by what PTRACE_GET_SYSCALL_INFO tells. */
static struct __ptrace_syscall_info info_of(pid_t pid)
{
	struct __ptrace_syscall_info info;
	long size = ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info);

	expect("size of the information", size == (info.op == PTRACE_SYSCALL_INFO_ENTRY  ? 80
											   : info.op == PTRACE_SYSCALL_INFO_EXIT ? 33
																					 : 24));
	return info;
}

static void to_call(pid_t pid, const char *wanted)
{
	int status;

	do {
		go_on(PTRACE_SYSCALL, pid, 0);
		status = stop_wait(pid);
		if (!WIFSTOPPED(status))
			die(wanted);
	} while (status >> 8 != (SIGTRAP | 0x80) || info_of(pid).op != PTRACE_SYSCALL_INFO_ENTRY ||
			 strcmp(call_name((long)info_of(pid).entry.nr), wanted));
}

static void entry_say(pid_t pid)
{
	struct __ptrace_syscall_info info = info_of(pid);
	struct user_regs_struct regs;

	if (info.op != PTRACE_SYSCALL_INFO_ENTRY) {
		say("no entry but %u", info.op);
		return;
	}
	say("entry: %s(%#llx)", call_name((long)info.entry.nr), (unsigned long long)info.entry.args[0]);
	ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	check("the same in registers",
		  regs.orig_rax == info.entry.nr && regs.rdi == info.entry.args[0] &&
			  regs.rip == info.instruction_pointer && regs.rsp == info.stack_pointer);
	check("no result yet", (long)regs.rax == -ENOSYS);
	say("message: %d", traced_event_message(pid));
}

static void exit_say(pid_t pid)
{
	int status = stop_say("then", pid);
	struct __ptrace_syscall_info info = info_of(pid);

	(void)status;
	if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		say("exit: %s %lld", info.exit.is_error ? "error" : "result",
			info.exit.is_error ? -(long long)info.exit.rval : 0);
	else
		say("no exit but %u", info.op);
	say("message: %d", traced_event_message(pid));
}

static int calls(void *arg)
{
	long parent = syscall(SYS_getppid, 0), user = syscall(SYS_getuid, 0), dup_result;

	check("a result that was changed", parent == 4711);
	check("another call was made", user == parent || user > 0);
	dup_result = syscall(SYS_dup, 99);
	check("arguments that were changed", dup_result > 2);
	errno = 0;
	result("a call that was not made", syscall(SYS_umask, 0123));
	check("it was not", umask(022) != 0123);
	return arg != NULL;
}

static void set_register(pid_t pid, size_t offset, unsigned long value)
{
	if (ptrace(PTRACE_POKEUSER, pid, (void *)offset, (void *)value))
		die("PTRACE_POKEUSER");
}

#define REG(name) offsetof(struct user_regs_struct, name)

static void change(void)
{
	pid_t pid = traced_start(calls, NULL, PTRACE_O_TRACESYSGOOD);
	struct user_regs_struct regs;

	to_call(pid, "getppid");
	entry_say(pid);
	go_on(PTRACE_SYSCALL, pid, 0);
	exit_say(pid);
	set_register(pid, REG(rax), 4711);
	to_call(pid, "getuid");
	set_register(pid, REG(orig_rax), SYS_getppid);
	to_call(pid, "dup");
	entry_say(pid);
	ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	regs.rdi = 1;
	result("SETREGS", ptrace(PTRACE_SETREGS, pid, NULL, &regs));
	to_call(pid, "umask");
	set_register(pid, REG(orig_rax), -1ul);
	set_register(pid, REG(rax), -(unsigned long)EDOM);
	result("a register that is none",
		   ptrace(PTRACE_POKEUSER, pid, (void *)sizeof(struct user), NULL));
	result("an address that is odd", ptrace(PTRACE_POKEUSER, pid, (void *)3, NULL));
	result("a thread pointer that cannot be",
		   ptrace(PTRACE_POKEUSER, pid, (void *)REG(fs_base), (void *)-1ul));
	go_on(PTRACE_CONT, pid, 0);
	stop_say("end", pid);
}

/* SYSEMU: none of the calls is made, the tracer gives their results. */
static int emulated(void *arg)
{
	return syscall(SYS_getppid, 0) == 12345 && syscall(SYS_dup, 1) == 678 ? 5 : arg != NULL;
}

static void emulate(void)
{
	pid_t pid = traced_start(emulated, NULL, PTRACE_O_TRACESYSGOOD);
	long results[] = {12345, 678};

	go_on(PTRACE_CONT, pid, 0);
	stop_say("ended", pid);
	pid = traced_start(emulated, NULL, PTRACE_O_TRACESYSGOOD);
	/* raise(3) may make calls still: those are made. */
	to_call(pid, "getppid");
	set_register(pid, REG(orig_rax), -1ul);
	set_register(pid, REG(rax), (unsigned long)results[0]);
	go_on(PTRACE_SYSEMU, pid, 0);
	stop_say("emulated", pid);
	entry_say(pid);
	set_register(pid, REG(rax), (unsigned long)results[1]);
	go_on(PTRACE_SYSEMU, pid, 0);
	stop_say("emulated", pid);
	entry_say(pid);
	kill(pid, SIGKILL);
	stop_say("ended", pid);
}

static void handler(int sig)
{
	say("handler of %s", signal_name(sig));
}

static int interrupted(void *arg)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = arg ? SA_RESTART : 0};
	char c;

	sigaction(SIGUSR1, &action, NULL);
	gate_open(&gate);
	result("read", read(*(int *)arg, &c, 1));
	return 0;
}

static void interrupt(void)
{
	int ends[2];

	if (pipe(ends))
		die("pipe");
	gate_make(&gate);
	pid_t pid = traced_start(interrupted, &ends[0], PTRACE_O_TRACESYSGOOD);
	to_call(pid, "read");
	entry_say(pid);
	kill(pid, SIGUSR1);
	go_on(PTRACE_SYSCALL, pid, 0);
	exit_say(pid);
	go_on(PTRACE_SYSCALL, pid, 0);
	stop_say("signal", pid);
	check("it is no call", info_of(pid).op == PTRACE_SYSCALL_INFO_NONE);
	go_on(PTRACE_SYSCALL, pid, SIGUSR1);
	stop_say("write in the handler", pid);
	to_call(pid, "rt_sigreturn");
	go_on(PTRACE_SYSCALL, pid, 0);
	stop_say("its end", pid);
	go_on(PTRACE_SYSCALL, pid, 0);
	stop_say("again", pid);
	entry_say(pid);
	write_all(ends[1], "x", 1);
	go_on(PTRACE_SYSCALL, pid, 0);
	exit_say(pid);
	go_on(PTRACE_CONT, pid, 0);
	stop_say("end", pid);
}

static int execs(void *arg)
{
	execl("/proc/self/exe", "ptrace_calls", arg, NULL);
	return 9;
}

static void exec(long options, const char *what)
{
	pid_t pid = traced_start(execs, "ends", PTRACE_O_TRACESYSGOOD | options);

	say("exec %s", what);
	to_call(pid, "execve");
	go_on(PTRACE_SYSCALL, pid, 0);
	int status = stop_say("first", pid);
	if (status >> 16)
		check("its number before", traced_event_message(pid) == pid);
	else
		exit_say(pid);
	go_on(PTRACE_SYSCALL, pid, 0);
	stop_say("second", pid);
	if (status >> 16) {
		struct __ptrace_syscall_info info = info_of(pid);

		check("the call's exit", info.op == PTRACE_SYSCALL_INFO_EXIT && !info.exit.rval);
		check("its number",
			  ptrace(PTRACE_PEEKUSER, pid, (void *)REG(orig_rax), NULL) == SYS_execve);
	}
	to_call(pid, "exit_group");
	go_on(PTRACE_SYSCALL, pid, 0);
	stop_say("end", pid);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "ends"))
		return 6;
	change();
	emulate();
	interrupt();
	exec(PTRACE_O_TRACEEXEC, "with its event");
	return finish();
}
