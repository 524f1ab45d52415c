/* SPDX-License-Identifier: ISC */
/*
 * Faults become signals with si_addr and si_code: SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP; left by
 * siglongjmp; without a handler they end the child with that status.
 * @test timeout=30 members=8 svm also=pie,musl
 */
#include "guest.h"
#include <setjmp.h>

static sigjmp_buf out;
static volatile int number_got, code_got;
static void *volatile address_got;

static void handler(int number, siginfo_t *info, void *context)
{
	(void)context;
	number_got = number;
	code_got = info->si_code;
	address_got = info->si_addr;
	siglongjmp(out, 1);
}

static char *page;
static char *file_page;

static void null_read(void)
{
	*(volatile char *)8;
}
static void null_write(void)
{
	*(volatile char *)16 = 1;
}
static void readonly_write(void)
{
	*(volatile char *)(page + 100) = 1;
}
static void none_read(void)
{
	*(volatile char *)(page + 4096 + 7);
}
static void none_execute(void)
{
	((void (*)(void))(page + 8192))();
}
static void behind_file(void)
{
	*(volatile char *)(file_page + 4096);
}
static void illegal(void)
{
	__asm__ volatile("ud2");
}
static void noncanonical(void)
{
	*(volatile char *)0x8000000000000000;
}
static void privileged(void)
{
	__asm__ volatile("hlt");
}
static void divide(void)
{
	__asm__ volatile("xor %%edx, %%edx\n mov $1, %%eax\n xor %%ecx, %%ecx\n idiv %%ecx"
					 :
					 :
					 : "eax", "ecx", "edx");
}
static void breakpoint(void)
{
	__asm__ volatile("int3");
}
static void sse_fault(void)
{
	unsigned mxcsr = 0x1f80 & ~0x200u; /* unmask division by zero */

	__asm__ volatile("ldmxcsr %0\n pxor %%xmm0, %%xmm0\n pcmpeqd %%xmm1, %%xmm1\n"
					 "psrld $25, %%xmm1\n pslld $23, %%xmm1\n divss %%xmm0, %%xmm1"
					 :
					 : "m"(mxcsr)
					 : "xmm0", "xmm1");
}

static const struct {
	const char *name;
	void (*run)(void);
	bool show_address;
} faults[] = {
	{"read at 8", null_read, true},
	{"write at 16", null_write, true},
	{"write to a read-only page", readonly_write, true},
	{"read of PROT_NONE", none_read, true},
	{"execute of a data page", none_execute, true},
	{"behind the end of a file", behind_file, true},
	{"ud2", illegal, false},
	{"non-canonical address", noncanonical, false},
	{"hlt", privileged, false},
	{"division by zero", divide, false},
	{"SSE division by zero", sse_fault, false},
	{"int3", breakpoint, false},
};

static __attribute__((noinline)) void provoke(void (*run)(void))
{
	number_got = 0;
	if (sigsetjmp(out, 1) == 0)
		run();
}

static const char *place(const char *address)
{
	static char text[64];

	if (address >= page && address < page + 4 * 4096)
		snprintf(text, sizeof(text), "page + %d", (int)(address - page));
	else if (address >= file_page && address < file_page + 8192)
		snprintf(text, sizeof(text), "file + %d", (int)(address - file_page));
	else
		snprintf(text, sizeof(text), "%#lx", (long)address);
	return text;
}

int main(void)
{
	static const int caught[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
	struct rlimit none = {0, 0};

	work_dir();
	page = private_memory(4 * 4096);
	mprotect(page, 4096, PROT_READ);
	mprotect(page + 4096, 4096, PROT_NONE);
	page[8192] = (char)0xc3;
	file_write("short", "content");
	int fd = open("short", O_RDWR);
	file_page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (file_page == MAP_FAILED)
		die("mmap of a file");
	for (size_t i = 0; i < COUNT(caught); i++)
		on_signal_info(caught[i], handler, 0);
	for (size_t i = 0; i < COUNT(faults); i++) {
		provoke(faults[i].run);
		say("%s: %s code %d%s%s", faults[i].name, number_got ? signal_name(number_got) : "nothing",
			code_got, faults[i].show_address ? " at " : "",
			faults[i].show_address ? place(address_got) : "");
	}
	setrlimit(RLIMIT_CORE, &none);
	for (size_t i = 0; i < COUNT(faults); i += 2) {
		pid_t pid = fork_or_die();

		if (pid == 0) {
			for (size_t j = 0; j < COUNT(caught); j++)
				signal(caught[j], SIG_DFL);
			faults[i].run();
			_exit(0);
		}
		child_report(faults[i].name, pid);
	}
	return finish();
}
