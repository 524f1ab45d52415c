/* SPDX-License-Identifier: ISC */
/*
 * SSE, AVX, x87 and MXCSR survive fork in the parent and arrive in the child, and survive a read
 * that blocks.
 * @test timeout=20 members=4 svm
 */
#include "guest.h"

struct vectors {
	uint8_t xmm[16][16];
} __attribute__((aligned(64)));

static struct vectors before, after;
static uint8_t upper_before[32], upper_after[32];

/*
 * The raw system call between loading and storing all sixteen registers: libc could legally use
 * them, the kernel may not change them.
 */
static long call_between(long number, long a, long b, long c)
{
	register long rdx __asm__("rdx") = c;
	long rc = number;

	__asm__ volatile(
		"movdqa 0(%[in]), %%xmm0\n movdqa 16(%[in]), %%xmm1\n movdqa 32(%[in]), %%xmm2\n"
		"movdqa 48(%[in]), %%xmm3\n movdqa 64(%[in]), %%xmm4\n movdqa 80(%[in]), %%xmm5\n"
		"movdqa 96(%[in]), %%xmm6\n movdqa 112(%[in]), %%xmm7\n movdqa 128(%[in]), %%xmm8\n"
		"movdqa 144(%[in]), %%xmm9\n movdqa 160(%[in]), %%xmm10\n movdqa 176(%[in]), %%xmm11\n"
		"movdqa 192(%[in]), %%xmm12\n movdqa 208(%[in]), %%xmm13\n"
		"movdqa 224(%[in]), %%xmm14\n movdqa 240(%[in]), %%xmm15\n"
		"syscall\n"
		"movdqa %%xmm0, 0(%[out])\n movdqa %%xmm1, 16(%[out])\n movdqa %%xmm2, 32(%[out])\n"
		"movdqa %%xmm3, 48(%[out])\n movdqa %%xmm4, 64(%[out])\n movdqa %%xmm5, 80(%[out])\n"
		"movdqa %%xmm6, 96(%[out])\n movdqa %%xmm7, 112(%[out])\n movdqa %%xmm8, 128(%[out])\n"
		"movdqa %%xmm9, 144(%[out])\n movdqa %%xmm10, 160(%[out])\n"
		"movdqa %%xmm11, 176(%[out])\n movdqa %%xmm12, 192(%[out])\n"
		"movdqa %%xmm13, 208(%[out])\n movdqa %%xmm14, 224(%[out])\n"
		"movdqa %%xmm15, 240(%[out])\n"
		: "+a"(rc), "+r"(rdx)
		: [in] "r"(&before), [out] "r"(&after), "D"(a), "S"(b)
		: "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
		  "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	return rc;
}

__attribute__((target("avx"))) static long avx_between(long number, long a, long b, long c)
{
	register long rdx __asm__("rdx") = c;
	long rc = number;

	__asm__ volatile("vmovdqu (%[in]), %%ymm7\n syscall\n vmovdqu %%ymm7, (%[out])\n vzeroupper\n"
					 : "+a"(rc), "+r"(rdx)
					 : [in] "r"(upper_before), [out] "r"(upper_after), "D"(a), "S"(b)
					 : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
					   "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
					   "xmm15");
	return rc;
}

static long with_vectors(long number, long a, long b, long c)
{
	if (__builtin_cpu_supports("avx"))
		return avx_between(number, a, b, c);
	memcpy(upper_after, upper_before, sizeof(upper_after));
	return call_between(number, a, b, c);
}

int main(void)
{
	unsigned mxcsr = 0x7f80, mxcsr_after = 0;
	unsigned short control = 0x0f7f, control_after = 0;
	struct gate gate;
	char byte;

	gate_make(&gate);
	for (size_t i = 0; i < sizeof(before); i++)
		((uint8_t *)&before)[i] = (uint8_t)(i * 7 + 3);
	for (size_t i = 0; i < sizeof(upper_before); i++)
		upper_before[i] = (uint8_t)(200 - i);
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	__asm__ volatile("fldcw %0" : : "m"(control));

	pid_t pid = (pid_t)call_between(SYS_fork, 0, 0, 0);
	if (pid < 0)
		die("fork");
	bool same = memcmp(&before, &after, sizeof(before)) == 0;
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr_after));
	__asm__ volatile("fnstcw %0" : "=m"(control_after));
	if (pid == 0)
		_exit((same ? 0 : 1) | (mxcsr_after == mxcsr ? 0 : 2) | (control_after == control ? 0 : 4));
	check("SSE kept in the parent", same);
	check("MXCSR kept in the parent", mxcsr_after == mxcsr);
	check("x87 control word kept in the parent", control_after == control);
	child_report("child", pid);

	pid = (pid_t)with_vectors(SYS_fork, 0, 0, 0);
	same = memcmp(upper_before, upper_after, 32) == 0;
	if (pid == 0) {
		gate_open(&gate);
		_exit(same ? 0 : 1);
	}
	check("AVX kept in the parent", same);
	child_report("child with AVX", pid);
	gate_wait(&gate);

	pid = fork_or_die();
	if (pid == 0) {
		__asm__ volatile("pxor %%xmm7, %%xmm7" : : : "xmm7");
		gate_open(&gate);
		_exit(0);
	}
	memset(upper_after, 0, sizeof(upper_after));
	say("blocking read: %ld", with_vectors(SYS_read, gate.fd[0], (long)&byte, 1));
	check("AVX kept across a blocking read", memcmp(upper_before, upper_after, 32) == 0);
	child_report("writer", pid);
	return finish();
}
