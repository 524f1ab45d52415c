/* SPDX-License-Identifier: ISC */
/*
 * seccomp: strict mode, filters and what follows from their answers; that children and what they
 * execute have them; which programs are refused; what prctl, /proc and ptrace tell of them.
 * @test timeout=60 members=20 root
 */
#include "guest.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#define LOAD(member) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define IF(nr, answer) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, answer)
#define INSTALL(...)                                                                 \
	({                                                                               \
		struct sock_filter code[] = {__VA_ARGS__};                                   \
		struct sock_fprog program = {COUNT(code), code};                             \
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);                  \
	})

static volatile sig_atomic_t trapped;
static siginfo_t trap_info;
static long trap_result;

static void on_trap(int number, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	trapped = number;
	trap_info = *info;
	trap_result = u->uc_mcontext.gregs[REG_RAX];
	u->uc_mcontext.gregs[REG_RAX] = 77;
}

static int errors(void *unused UNUSED)
{
	result("install", INSTALL(LOAD(nr), IF(SYS_getppid, SECCOMP_RET_ERRNO | EDOM),
		IF(SYS_getuid, SECCOMP_RET_ERRNO), IF(SYS_getgid, SECCOMP_RET_ERRNO | 5000),
		IF(SYS_mkdir, SECCOMP_RET_TRACE), IF(SYS_rmdir, SECCOMP_RET_LOG), ALLOW));
	for (int i = 0; i < 3; i++) /* trapped, then rewritten, then direct */
		result("getppid", syscall(SYS_getppid));
	result("getuid", syscall(SYS_getuid));
	result("getgid", syscall(SYS_getgid) == -1 && errno == 4095);
	result("traced by nobody", mkdir("never", 0700));
	result("logged", rmdir("never"));
	result("allowed", getpid() > 0);
	say("mode %d", prctl(PR_GET_SECCOMP));
	result("a child's", child_wait(child_start((int (*)(void *))(void *)getppid, NULL)));
	return 0;
}

static int arguments(void *unused UNUSED)
{
	INSTALL(LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_lseek, 0, 5), LOAD(args[1]),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 3), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 10, 0, 1), BPF_STMT(BPF_RET | BPF_K,
		SECCOMP_RET_ERRNO | EXDEV), ALLOW);
	result("small", syscall(SYS_lseek, -1, 7L, SEEK_SET));
	result("large", syscall(SYS_lseek, -1, 8L, SEEK_SET));
	result("larger", syscall(SYS_lseek, -1, 0x1fdL, SEEK_SET));
	INSTALL(LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS), LOAD(nr),
		BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LDX | BPF_IMM, SYS_getsid),
		BPF_STMT(BPF_LD | BPF_MEM, 3), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EMLINK), ALLOW);
	result("by the index", getsid(0));
	result("of both", syscall(SYS_lseek, -1, 9L, SEEK_SET));
	INSTALL(LOAD(nr), IF(SYS_lseek, SECCOMP_RET_ERRNO | ENOSPC), ALLOW);
	result("the last of equals", syscall(SYS_lseek, -1, 9L, SEEK_SET));
	INSTALL(LOAD(nr), IF(SYS_lseek, SECCOMP_RET_TRAP), IF(SYS_getsid, SECCOMP_RET_ALLOW), ALLOW);
	result("the sterner one stays", getsid(0));
	struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
	sigaction(SIGSYS, &action, NULL);
	result("a trap", syscall(SYS_lseek, -1, 9L, SEEK_SET));
	say("signal %d code %d errno %d, call %s, architecture %s, result %s", (int)trapped,
		trap_info.si_code, trap_info.si_errno, trap_info.si_syscall == SYS_lseek ? "it" : "other",
		trap_info.si_arch == AUDIT_ARCH_X86_64 ? "x86-64" : "other",
		trap_result == SYS_lseek ? "its number" : "other");
	check("where it was", trap_info.si_call_addr != NULL);
	return 0;
}

static int killed_by(void *answer)
{
	INSTALL(LOAD(nr), IF(SYS_getppid, (uint32_t)(uintptr_t)answer), ALLOW);
	say("still there");
	syscall(SYS_getppid);
	say("answered");
	return 0;
}

static int blocked_trap(void *unused UNUSED)
{
	INSTALL(LOAD(nr), IF(SYS_getppid, SECCOMP_RET_TRAP), ALLOW);
	signals_block(SIGSYS, 0);
	signal(SIGSYS, SIG_IGN);
	syscall(SYS_getppid);
	return 0;
}

static int strict(void *call)
{
	result("strict", prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	write(1, "written\n", 8);
	if (call)
		syscall((long)call);
	syscall(SYS_exit, 5);
	return 0;
}

static int executes(void *how)
{
	char *argv[] = {"exe", "again", NULL}, *envp[] = {NULL};
	pid_t pid;

	INSTALL(LOAD(nr), IF(SYS_getppid, SECCOMP_RET_ERRNO | EDOM), ALLOW);
	if (!how)
		execve("/proc/self/exe", argv, envp);
	int err = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, envp);
	child_report("spawned", pid);
	okay("spawn", -err);
	return 0;
}

static int nobody(void *unused UNUSED)
{
	if (setresuid(65534, 65534, 65534))
		die("setresuid");
	result("without a privilege", INSTALL(ALLOW));
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	result("with no new ones", INSTALL(ALLOW));
	result("by prctl", ({
		struct sock_filter code[] = {ALLOW};
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &(struct sock_fprog){1, code});
	}));
	return 0;
}

static int status(void *unused UNUSED)
{
	char line[200];

	INSTALL(ALLOW);
	INSTALL(ALLOW);
	FILE *f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "Seccomp", 7))
			say("%.*s", (int)strcspn(line, "\n"), line);
	return 0;
}

static void refused(void)
{
	static const uint32_t actions[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD,
		SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO, SECCOMP_RET_LOG, SECCOMP_RET_ALLOW, 0x12340000};
	struct sock_filter allow = ALLOW;

	result("no return", INSTALL(LOAD(nr)));
	result("not aligned", INSTALL(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), ALLOW));
	result("beyond", INSTALL(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), ALLOW));
	result("a half word", INSTALL(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), ALLOW));
	result("indirect", INSTALL(BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), ALLOW));
	result("a jump too far", INSTALL(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), ALLOW));
	result("always too far", INSTALL(BPF_STMT(BPF_JMP | BPF_JA, 1), ALLOW));
	result("by zero", INSTALL(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), ALLOW));
	result("a large shift", INSTALL(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), ALLOW));
	result("no memory", INSTALL(BPF_STMT(BPF_ST, 16), ALLOW));
	result("modulo", INSTALL(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 2), ALLOW));
	result("no instruction", INSTALL(BPF_STMT(0xffff, 2), ALLOW));
	result("empty", syscall(SYS_seccomp, 1, 0, &(struct sock_fprog){0, &allow}));
	result("too long", syscall(SYS_seccomp, 1, 0, &(struct sock_fprog){4097, &allow}));
	result("nowhere", syscall(SYS_seccomp, 1, 0, &(struct sock_fprog){1, NULL}));
	result("null", syscall(SYS_seccomp, 1, 0, NULL));
	result("flags", syscall(SYS_seccomp, 1, 0x1000, NULL));
	result("strict with flags", syscall(SYS_seccomp, 0, 1, NULL));
	result("strict with something", syscall(SYS_seccomp, 0, 0, &allow));
	result("operation", syscall(SYS_seccomp, 99, 0, NULL));
	result("mode", prctl(PR_SET_SECCOMP, 9));
	for (size_t i = 0; i < COUNT(actions); i++)
		result("action", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &actions[i]));
	say("mode %d", prctl(PR_GET_SECCOMP));
}

static int waits(void *unused UNUSED)
{
	INSTALL(LOAD(nr), IF(SYS_getppid, SECCOMP_RET_ERRNO | EDOM), ALLOW);
	INSTALL(ALLOW);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	return 0;
}

static void shown(void)
{
	struct sock_filter code[16] = {{0}};
	pid_t pid = child_start(waits, NULL);

	waitpid(pid, NULL, 0);
	result("filter 1", ptrace(0x420c, pid, (void *)1, NULL));
	result("filter 0", ptrace(0x420c, pid, (void *)0, code));
	say("which loads %#x and compares with %s", code[0].code,
		code[1].k == SYS_getppid ? "getppid" : "another");
	result("filter 2", ptrace(0x420c, pid, (void *)2, NULL));
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	child_report("traced", pid);
}

int main(int argc, char **argv UNUSED)
{
	if (argc > 1) {
		result("executed: getppid", syscall(SYS_getppid));
		say("executed: mode %d", prctl(PR_GET_SECCOMP));
		return 0;
	}
	work_dir();
	refused();
	child_report("errors", child_start(errors, NULL));
	child_report("arguments", child_start(arguments, NULL));
	child_report("kill process", child_start(killed_by, (void *)(uintptr_t)0x80000000));
	child_report("kill thread", child_start(killed_by, (void *)0));
	child_report("trap", child_start(killed_by, (void *)(uintptr_t)SECCOMP_RET_TRAP));
	child_report("unknown", child_start(killed_by, (void *)(uintptr_t)0x12340000));
	child_report("blocked trap", child_start(blocked_trap, NULL));
	child_report("strict", child_start(strict, NULL));
	child_report("strict, another call", child_start(strict, (void *)SYS_getppid));
	child_report("execs", child_start(executes, NULL));
	child_report("spawns", child_start(executes, (void *)1));
	child_report("nobody", child_start(nobody, NULL));
	child_report("status", child_start(status, NULL));
	shown();
	return finish();
}
