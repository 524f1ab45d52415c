/* SPDX-License-Identifier: ISC */
/*
 * rt_sigreturn gives back every integer register, the flags and the SSE and AVX state; the
 * handler sees RIP and may change registers through its context.
 * @test timeout=30 members=1 svm also=pie,musl
 */
#include "guest.h"
#include <ucontext.h>

static volatile sig_atomic_t handled;
static uint8_t ymm_in[32], ymm_out[32];
static long in[13], out[13];
static unsigned long flags_out;

static void clobber(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	(void)context;
	handled++;
	__asm__ volatile("pcmpeqb %%xmm3, %%xmm3\n pcmpeqb %%xmm9, %%xmm9" : : : "xmm3", "xmm9");
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroall" : : : "memory");
	__asm__ volatile("cmp %eax, %eax; std; cld");
}

static void skip(int number, siginfo_t *info, void *context)
{
	ucontext_t *state = context;

	(void)number;
	(void)info;
	handled++;
	state->uc_mcontext.gregs[REG_RIP] += 2; /* over ud2 */
	state->uc_mcontext.gregs[REG_RBX] = 4711;
}

static void load_ymm(void)
{
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vmovdqu (%0), %%ymm9" : : "r"(ymm_in) : "memory");
}

/* All registers hold known values while the kernel handles kill(getpid(), SIGUSR1). */
static __attribute__((noinline)) long kill_with_registers(long pid, long number)
{
	long rc;

	in[1] = pid;
	in[2] = number;
	__asm__ volatile("push %%rbp\n push %%rbx\n push %[out]\n mov %[in], %%rax\n"
					 "mov 0(%%rax), %%rbx\n mov 8(%%rax), %%rdi\n mov 16(%%rax), %%rsi\n"
					 "mov 24(%%rax), %%rdx\n mov 32(%%rax), %%rbp\n mov 40(%%rax), %%r8\n"
					 "mov 48(%%rax), %%r9\n mov 56(%%rax), %%r10\n mov 64(%%rax), %%r12\n"
					 "mov 72(%%rax), %%r13\n mov 80(%%rax), %%r14\n mov 88(%%rax), %%r15\n"
					 "mov $62, %%eax\n stc\n std\n syscall\n pushfq\n cld\n pop %%rcx\n pop %%r11\n"
					 "mov %%rbx, 0(%%r11)\n mov %%rdi, 8(%%r11)\n mov %%rsi, 16(%%r11)\n"
					 "mov %%rdx, 24(%%r11)\n mov %%rbp, 32(%%r11)\n mov %%r8, 40(%%r11)\n"
					 "mov %%r9, 48(%%r11)\n mov %%r10, 56(%%r11)\n mov %%r12, 64(%%r11)\n"
					 "mov %%r13, 72(%%r11)\n mov %%r14, 80(%%r11)\n mov %%r15, 88(%%r11)\n"
					 "mov %%rcx, 96(%%r11)\n pop %%rbx\n pop %%rbp\n"
					 : "=a"(rc)
					 : [in] "D"(in), [out] "S"(out)
					 : "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory",
					   "cc");
	__asm__ volatile("" : : : "rdi", "rsi");
	flags_out = (unsigned long)out[12];
	return rc;
}

int main(void)
{
	on_signal_info(SIGUSR1, clobber, 0);
	on_signal_info(SIGILL, skip, 0);
	for (int i = 0; i < 12; i++)
		in[i] = (long)(0x0123456789abcdefUL * (unsigned long)(i + 3));
	for (int round = 0; round < 3; round++) {
		memset(out, 0, sizeof(out));
		result("kill", kill_with_registers(getpid(), SIGUSR1));
		check("integer registers kept", memcmp(in, out, 12 * sizeof(long)) == 0);
		check("carry and direction flags kept", (flags_out & 0x401) == 0x401);
	}
	say("handled: %d", handled);

	for (int i = 0; i < 32; i++)
		ymm_in[i] = (uint8_t)(i * 5 + 1);
	register long rax __asm__("rax") = SYS_kill;
	long pid = getpid(), number = SIGUSR1;
	load_ymm();
	__asm__ volatile("syscall" : "+a"(rax) : "D"(pid), "S"(number) : "rcx", "r11", "memory");
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vmovdqu %%ymm9, (%0)" : : "r"(ymm_out) : "memory");
	else
		memcpy(ymm_out, ymm_in, 32);
	check("AVX kept", memcmp(ymm_in, ymm_out, 32) == 0);

	long rbx = 1;
	__asm__ volatile("ud2" : "+b"(rbx) : : "memory");
	say("register set by the handler: %ld", rbx);
	say("handled: %d", handled);
	return finish();
}
