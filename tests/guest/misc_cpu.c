/* SPDX-License-Identifier: ISC */
/*
 * What CPUID promises works, in the first process and in a clone; the time-stamp counter neither
 * goes back nor jumps across forks, in both directions.
 * @test timeout=20 members=12 svm
 */
#include "guest.h"
#include <cpuid.h>
#include <setjmp.h>
#include <sys/auxv.h>
#include <x86intrin.h>

#define XCR0_AVX 0x6u
#define XCR0_AVX512 0xe6u
#define HWCAP2_FSGSBASE_BIT 2
#define TICKS_MAX 50000000000ull /* seconds of any processor */

enum reg { EAX, EBX, ECX, EDX };

static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

#define INSTRUCTION(name, text, ...)                   \
	static __attribute__((noinline)) void name(void)   \
	{                                                  \
		__asm__ volatile(text : : : __VA_ARGS__);      \
	}

INSTRUCTION(pclmul, "pclmulqdq $0, %%xmm0, %%xmm1", "xmm1")
INSTRUCTION(ssse3, "pshufb %%xmm0, %%xmm1", "xmm1")
INSTRUCTION(sse4, "crc32b %%al, %%ecx\n ptest %%xmm0, %%xmm1", "rcx", "cc")
INSTRUCTION(movbe, "movbe -8(%%rsp), %%eax", "rax")
INSTRUCTION(popcnt, "popcnt %%eax, %%ecx", "rcx", "cc")
INSTRUCTION(aes, "aesenc %%xmm0, %%xmm1", "xmm1")
INSTRUCTION(xgetbv, "xor %%ecx, %%ecx\n xgetbv", "rax", "rcx", "rdx")
INSTRUCTION(avx, "vaddps %%ymm0, %%ymm0, %%ymm1\n vzeroupper", "xmm1")
INSTRUCTION(fma3, "vfmadd132ps %%ymm0, %%ymm0, %%ymm1\n vzeroupper", "xmm1")
INSTRUCTION(f16c, "vcvtph2ps %%xmm0, %%xmm1", "xmm1")
INSTRUCTION(rdrand, "rdrand %%eax", "rax", "cc")
INSTRUCTION(fsgsbase, "rdfsbase %%rax\n wrfsbase %%rax\n rdgsbase %%rax\n wrgsbase %%rax", "rax")
INSTRUCTION(bmi1, "andn %%eax, %%ecx, %%edx\n tzcnt %%eax, %%ecx", "rcx", "rdx", "cc")
INSTRUCTION(avx2, "vpaddd %%ymm0, %%ymm0, %%ymm1\n vzeroupper", "xmm1")
INSTRUCTION(bmi2, "mulx %%rax, %%rcx, %%rdx\n rorx $3, %%eax, %%ecx", "rcx", "rdx")
INSTRUCTION(avx512, "vpaddd %%zmm0, %%zmm0, %%zmm1\n vzeroupper", "xmm1")
INSTRUCTION(rdseed, "rdseed %%eax", "rax", "cc")
INSTRUCTION(adx, "adcx %%eax, %%ecx\n adox %%eax, %%ecx", "rcx", "cc")
INSTRUCTION(clflushopt, "clflushopt -64(%%rsp)", "memory")
INSTRUCTION(sha, "sha1nexte %%xmm0, %%xmm1", "xmm1")
INSTRUCTION(rdpid, "rdpid %%rax", "rax")
INSTRUCTION(rdtscp, "rdtscp", "rax", "rcx", "rdx")
INSTRUCTION(lahf, "lahf", "rax")

static const struct feature {
	const char *name;
	unsigned leaf;
	enum reg reg;
	unsigned bit, xcr0;
	void (*use)(void);
} features[] = {
	{"pclmulqdq", 1, ECX, 1, 0, pclmul},
	{"ssse3", 1, ECX, 9, 0, ssse3},
	{"fma", 1, ECX, 12, XCR0_AVX, fma3},
	{"sse4.2", 1, ECX, 20, 0, sse4},
	{"movbe", 1, ECX, 22, 0, movbe},
	{"popcnt", 1, ECX, 23, 0, popcnt},
	{"aes", 1, ECX, 25, 0, aes},
	{"osxsave", 1, ECX, 27, 0, xgetbv},
	{"avx", 1, ECX, 28, XCR0_AVX, avx},
	{"f16c", 1, ECX, 29, XCR0_AVX, f16c},
	{"rdrand", 1, ECX, 30, 0, rdrand},
	{"fsgsbase", 7, EBX, 0, 0, fsgsbase},
	{"bmi1", 7, EBX, 3, 0, bmi1},
	{"avx2", 7, EBX, 5, XCR0_AVX, avx2},
	{"bmi2", 7, EBX, 8, 0, bmi2},
	{"avx512f", 7, EBX, 16, XCR0_AVX512, avx512},
	{"rdseed", 7, EBX, 18, 0, rdseed},
	{"adx", 7, EBX, 19, 0, adx},
	{"clflushopt", 7, EBX, 23, 0, clflushopt},
	{"sha", 7, EBX, 29, 0, sha},
	{"rdpid", 7, ECX, 22, 0, rdpid},
	{"rdtscp", 0x80000001, EDX, 27, 0, rdtscp},
	{"lahf", 0x80000001, ECX, 0, 0, lahf},
};

static unsigned xcr0(void)
{
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return a;
}

static bool promised(const struct feature *f)
{
	unsigned regs[4];

	if (!__get_cpuid_count(f->leaf, 0, &regs[EAX], &regs[EBX], &regs[ECX], &regs[EDX]))
		return false;
	return (regs[f->reg] >> f->bit & 1) && (xcr0() & f->xcr0) == f->xcr0;
}

static int broken_promises(void)
{
	volatile int broken = 0;

	for (volatile size_t i = 0; i < COUNT(features); i++) {
		if (!promised(&features[i]))
			continue;
		if (sigsetjmp(back, 1) == 0) {
			features[i].use();
		} else {
			say("%s: promised, but faults", features[i].name);
			broken++;
		}
	}
	if (sigsetjmp(back, 1)) {
		say("FSGSBASE: promised by AT_HWCAP2, but faults");
		broken++;
	} else if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT) {
		fsgsbase();
	}
	return broken;
}

static bool after(unsigned long long late, unsigned long long early)
{
	return late >= early && late - early < TICKS_MAX;
}

int main(void)
{
	volatile unsigned long long *seen = shared_memory(4096);
	int jumps = 0;

	on_signal(SIGILL, on_fault, 0);
	on_signal(SIGSEGV, on_fault, 0);
	say("broken promises: %d", broken_promises());
	pid_t pid = fork_or_die();
	if (pid == 0)
		_exit(broken_promises());
	child_report("the same in a child", pid);
	for (int i = 0; i < 10; i++) {
		unsigned long long before = __rdtsc();

		pid = fork_or_die();
		if (pid == 0) {
			seen[0] = __rdtsc();
			_exit(0);
		}
		jumps += child_wait(pid) != 0;
		jumps += !after(seen[0], before) || !after(__rdtsc(), seen[0]);
	}
	say("jumps of the time-stamp counter: %d", jumps);
	return finish();
}
