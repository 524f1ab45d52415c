/* SPDX-License-Identifier: ISC */
/*
 * A system call changes rax, rcx and r11 only: every other integer register is looked at across
 * getpid (twice, trapped and direct), fork and a failing call.
 * @test timeout=20 members=2 svm also=pie,musl
 */
#include "guest.h"

static long in[12], out[12];

static __attribute__((noinline)) long call_with_registers(long number)
{
	long rc;

	__asm__ volatile("push %%rbp\n push %%rbx\n mov %[in], %%rax\n push %[out]\n push %[number]\n"
					 "mov 0(%%rax), %%rbx\n mov 8(%%rax), %%rdi\n mov 16(%%rax), %%rsi\n"
					 "mov 24(%%rax), %%rdx\n mov 32(%%rax), %%rbp\n mov 40(%%rax), %%r8\n"
					 "mov 48(%%rax), %%r9\n mov 56(%%rax), %%r10\n mov 64(%%rax), %%r12\n"
					 "mov 72(%%rax), %%r13\n mov 80(%%rax), %%r14\n mov 88(%%rax), %%r15\n"
					 "pop %%rax\n syscall\n"
					 "pop %%rcx\n"
					 "mov %%rbx, 0(%%rcx)\n mov %%rdi, 8(%%rcx)\n mov %%rsi, 16(%%rcx)\n"
					 "mov %%rdx, 24(%%rcx)\n mov %%rbp, 32(%%rcx)\n mov %%r8, 40(%%rcx)\n"
					 "mov %%r9, 48(%%rcx)\n mov %%r10, 56(%%rcx)\n mov %%r12, 64(%%rcx)\n"
					 "mov %%r13, 72(%%rcx)\n mov %%r14, 80(%%rcx)\n mov %%r15, 88(%%rcx)\n"
					 "pop %%rbx\n pop %%rbp\n"
					 : "=a"(rc)
					 : [in] "D"(in), [out] "S"(out), [number] "d"(number)
					 : "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory");
	__asm__ volatile("" : : : "rdi", "rsi", "rdx");
	return rc;
}

int main(void)
{
	for (int i = 0; i < 12; i++)
		in[i] = (long)(0x0111111111111111UL * (unsigned long)(i + 1));
	for (int round = 0; round < 3; round++) {
		memset(out, 0, sizeof(out));
		check("getpid", call_with_registers(SYS_getpid) == getpid());
		check("registers kept", memcmp(in, out, sizeof(in)) == 0);
	}
	memset(out, 0, sizeof(out));
	say("close of a wild descriptor: %s", errno_name((int)-call_with_registers(SYS_close)));
	check("registers kept", memcmp(in, out, sizeof(in)) == 0);
	memset(out, 0, sizeof(out));
	say("no such call: %s", errno_name((int)-call_with_registers(100000)));
	check("registers kept", memcmp(in, out, sizeof(in)) == 0);
	memset(out, 0, sizeof(out));
	pid_t pid = (pid_t)call_with_registers(SYS_fork);
	if (pid == 0)
		_exit(memcmp(in, out, sizeof(in)) == 0 ? 0 : 1);
	check("registers kept by fork", memcmp(in, out, sizeof(in)) == 0);
	child_report("child", pid);
	return finish();
}
