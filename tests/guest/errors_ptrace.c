/* SPDX-License-Identifier: ISC */
/*
 * What ptrace answers to each request with arguments that are wrong, of a process that is not
 * traced, one that runs and one that is stopped.
 * @test timeout=30 members=2 nosvm
 */
#include "guest.h"
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define SECCOMP_GET_FILTER 0x420c
#define SECCOMP_GET_METADATA 0x420d
#define GET_SYSCALL_INFO 0x420e
#define GET_THREAD_AREA 25
#define USER(member) offsetof(struct user, member)
#define REQUEST(request, addr, data) \
	syscall(SYS_ptrace, (long)(request), pid, (long)(addr), (long)(data))
#define OP(request, addr, data)                           \
	{                                                     \
		memset(page, 0, 4096);                            \
		errno = 0;                                        \
		show(#request ", " #addr ", " #data, REQUEST(request, addr, data)); \
	}

static char *page, *bad;
static pid_t pid;

static void show(const char *text, long rc)
{
	if (rc == -1)
		say("%s: %s", text, errno_name(errno));
	else
		say("%s: %s", text, rc > 0 ? "more" : "0");
}

static void begin(void)
{
	OP(PTRACE_PEEKDATA, page, page)
	OP(PTRACE_CONT, 0, 0)
	OP(PTRACE_SEIZE, 1, 0)
	OP(PTRACE_SEIZE, 0, 0x80000000)
	OP(PTRACE_SEIZE, 0, 0)
	OP(PTRACE_SEIZE, 0, 0)
	OP(PTRACE_ATTACH, 0, 0)
	OP(PTRACE_PEEKDATA, page, page)
	OP(PTRACE_CONT, 0, 0)
	OP(PTRACE_INTERRUPT, 0, 0)
	waitpid(pid, NULL, 0);
}

static void words(void)
{
	OP(PTRACE_PEEKDATA, page, page)
	OP(PTRACE_PEEKDATA, page, bad)
	OP(PTRACE_PEEKDATA, 16, page)
	OP(PTRACE_PEEKDATA, -4096, page)
	OP(PTRACE_POKEDATA, page, 5)
	OP(PTRACE_POKEDATA, 16, 5)
	OP(PTRACE_PEEKUSER, 0, page)
	OP(PTRACE_PEEKUSER, 1, page)
	OP(PTRACE_PEEKUSER, sizeof(struct user), page)
	OP(PTRACE_PEEKUSER, sizeof(struct user) + 16, page)
	OP(PTRACE_PEEKUSER, -8, page)
	OP(PTRACE_PEEKUSER, 0, bad)
	OP(PTRACE_POKEUSER, 1, 0)
	OP(PTRACE_POKEUSER, sizeof(struct user), 0)
	OP(PTRACE_POKEUSER, USER(regs.fs_base), -1)
	OP(PTRACE_POKEUSER, USER(regs.cs), 0)
	OP(PTRACE_POKEUSER, USER(regs.cs), 0x33)
	OP(PTRACE_POKEUSER, USER(regs.ss), 0x28)
	OP(PTRACE_POKEUSER, USER(regs.ds), 0)
	OP(PTRACE_POKEUSER, USER(regs.ds), 8)
	OP(PTRACE_POKEUSER, USER(u_tsize), 0)
}

static void debug_registers(void)
{
	for (int i = 0; i < 8; i++) {
		say("debug register %d", i);
		OP(PTRACE_PEEKUSER, USER(u_debugreg) + 8 * i, page)
		OP(PTRACE_POKEUSER, USER(u_debugreg) + 8 * i, 0)
	}
	OP(PTRACE_POKEUSER, USER(u_debugreg), -4096)
	OP(PTRACE_POKEUSER, USER(u_debugreg), page)
	OP(PTRACE_POKEUSER, USER(u_debugreg) + 56, 0)
}

static void sets(void)
{
	struct iovec v = {page, 4096};

	OP(PTRACE_GETREGS, 0, bad)
	OP(PTRACE_SETREGS, 0, bad)
	OP(PTRACE_GETFPREGS, 0, bad)
	OP(PTRACE_GETREGSET, NT_PRSTATUS, &v)
	say("%zu bytes", v.iov_len);
	v.iov_len = 8;
	OP(PTRACE_GETREGSET, NT_PRSTATUS, &v)
	say("%zu bytes", v.iov_len);
	v.iov_len = 7;
	OP(PTRACE_GETREGSET, NT_PRSTATUS, &v)
	OP(PTRACE_GETREGSET, 9999, &v)
	OP(PTRACE_GETREGSET, NT_PRSTATUS, bad)
	v = (struct iovec){bad, 4096};
	OP(PTRACE_GETREGSET, NT_PRSTATUS, &v)
	v = (struct iovec){page, 4096};
	OP(PTRACE_GETREGSET, NT_386_IOPERM, &v)
	v.iov_len = 100;
	OP(PTRACE_SETREGSET, NT_PRSTATUS, &v)
}

static void rest(void)
{
	OP(PTRACE_GETSIGINFO, 0, bad)
	OP(PTRACE_SETSIGINFO, 0, bad)
	OP(PTRACE_GETEVENTMSG, 0, bad)
	OP(PTRACE_SETOPTIONS, 0, 0x80000000)
	OP(PTRACE_SETOPTIONS, 0, PTRACE_O_TRACESYSGOOD)
	OP(PTRACE_GETSIGMASK, 8, page)
	OP(PTRACE_GETSIGMASK, 7, page)
	OP(PTRACE_GETSIGMASK, 8, bad)
	OP(PTRACE_SETSIGMASK, 8, bad)
	OP(PTRACE_SETSIGMASK, 7, page)
	OP(SECCOMP_GET_FILTER, 0, page)
	OP(SECCOMP_GET_FILTER, 0, 0)
	OP(SECCOMP_GET_METADATA, 16, page)
	OP(GET_SYSCALL_INFO, 0, page)
	OP(GET_SYSCALL_INFO, 100, bad)
	OP(GET_THREAD_AREA, 0, page)
	OP(GET_THREAD_AREA, -1, page)
	OP(9999, 0, 0)
	OP(PTRACE_CONT, 0, 99)
	OP(PTRACE_DETACH, 0, 99)
	OP(PTRACE_SINGLESTEP, 0, -1)
	OP(PTRACE_DETACH, 0, 0)
	OP(PTRACE_DETACH, 0, 0)
	kill(pid, SIGKILL);
	child_wait(pid);
	OP(PTRACE_CONT, 0, 0)
	OP(PTRACE_ATTACH, 0, 0)
}

int main(void)
{
	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bad = page + 4096;
	mprotect(bad, 4096, PROT_NONE);
	pid = fork_or_die();
	if (pid == 0)
		for (;;)
			pause();
	begin();
	words();
	debug_registers();
	sets();
	rest();
	return finish();
}
