/* SPDX-License-Identifier: ISC */
/*
 * What a tracer reads and writes of another process: words of its memory whatever their rights are,
 * breakpoints in its text, single steps, registers of the processor's units; process_vm_readv and
 * writev, which ask for no tracing; /proc/PID/mem, maps, auxv, environ, syscall of another process.
 * @test timeout=30 members=6
 */
#include "guest_trace.h"

#include <sys/auxv.h>

static volatile long word = 0x1234;
static char text_page[4096] __attribute__((aligned(4096)));
static volatile long *constant; /* in a page that cannot be written: 99 */

__attribute__((noinline, noclone)) static int target(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 1;
}

static int calls_target(void *arg)
{
	int sum = 0;

	for (int i = 0; i < 3; i++)
		sum += target(i);
	return sum + (arg != NULL);
}

#define REG(name) ((void *)offsetof(struct user_regs_struct, name))

static void words(pid_t pid, long *hidden)
{
	errno = 0;
	check("PEEKDATA", ptrace(PTRACE_PEEKDATA, pid, (void *)&word, NULL) == 0x1234);
	result("POKEDATA", ptrace(PTRACE_POKEDATA, pid, (void *)&word, (void *)0x77l));
	check("it is there", ptrace(PTRACE_PEEKTEXT, pid, (void *)&word, NULL) == 0x77);
	check("there alone", word == 0x1234);
	result("POKEDATA to a constant", ptrace(PTRACE_POKEDATA, pid, (void *)constant, (void *)5l));
	check("changed", ptrace(PTRACE_PEEKDATA, pid, (void *)constant, NULL) == 5);
	check("here it is not", *constant == 99);
	result("POKEDATA to a page without rights", ptrace(PTRACE_POKEDATA, pid, hidden, (void *)6l));
	check("changed", ptrace(PTRACE_PEEKDATA, pid, hidden, NULL) == 6);
	errno = 0;
	ptrace(PTRACE_PEEKDATA, pid, (void *)64l, NULL);
	say("PEEKDATA of nothing: %s", errno_name(errno));
	result("POKEDATA to nothing", ptrace(PTRACE_POKEDATA, pid, (void *)64l, NULL));
	/* The last word of a page, and one that goes over its end. */
	check("at the end of a page",
		  ptrace(PTRACE_PEEKDATA, pid, text_page + 4096 - 4, NULL) != -1 || !errno);
}

static void breakpoint(pid_t pid)
{
	long original = ptrace(PTRACE_PEEKTEXT, pid, (void *)target, NULL);
	unsigned long rip;
	siginfo_t info;

	result("a breakpoint",
		   ptrace(PTRACE_POKETEXT, pid, (void *)target, (void *)((original & ~0xffl) | 0xcc)));
	for (int i = 0; i < 2; i++) {
		go_on(PTRACE_CONT, pid, 0);
		stop_say("hit", pid);
		ptrace(PTRACE_GETSIGINFO, pid, NULL, &info);
		say("code %d", info.si_code);
		rip = (unsigned long)ptrace(PTRACE_PEEKUSER, pid, REG(rip), NULL);
		check("behind it", rip == (unsigned long)target + 1);
		check("its argument", ptrace(PTRACE_PEEKUSER, pid, REG(rdi), NULL) == i);
		/* Over it by a step. */
		ptrace(PTRACE_POKETEXT, pid, (void *)target, (void *)original);
		ptrace(PTRACE_POKEUSER, pid, REG(rip), (void *)(rip - 1));
		go_on(PTRACE_SINGLESTEP, pid, 0);
		stop_say("step", pid);
		ptrace(PTRACE_GETSIGINFO, pid, NULL, &info);
		say("code %d", info.si_code);
		rip = (unsigned long)ptrace(PTRACE_PEEKUSER, pid, REG(rip), NULL);
		check("it went on", rip > (unsigned long)target && rip < (unsigned long)target + 16);
		check("the trap flag does not show",
			  !(ptrace(PTRACE_PEEKUSER, pid, REG(eflags), NULL) & 0x100));
		ptrace(PTRACE_POKETEXT, pid, (void *)target, (void *)((original & ~0xffl) | 0xcc));
	}
	ptrace(PTRACE_POKETEXT, pid, (void *)target, (void *)original);
	check("as before", ptrace(PTRACE_PEEKTEXT, pid, (void *)target, NULL) == *(long *)target);
}

static void units(pid_t pid)
{
	struct user_fpregs_struct fp, again;
	static char state[16384] __attribute__((aligned(64))), other[16384];
	struct iovec iov = {state, sizeof(state)};

	result("GETFPREGS", ptrace(PTRACE_GETFPREGS, pid, NULL, &fp));
	fp.xmm_space[4] = 0x11223344; /* xmm1 */
	result("SETFPREGS", ptrace(PTRACE_SETFPREGS, pid, NULL, &fp));
	result("GETFPREGS", ptrace(PTRACE_GETFPREGS, pid, NULL, &again));
	check("it was set", again.xmm_space[4] == 0x11223344);
	result("XSTATE", ptrace(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &iov));
	check("has it", !memcmp(state + 160 + 16, &fp.xmm_space[4], 4) && iov.iov_len >= 576);
	state[160 + 32] = 0x55; /* xmm2 */
	result("set", ptrace(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, &iov));
	struct iovec small = {other, 512};
	result("a part of it", ptrace(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &small));
	check("as long", small.iov_len == 512 && other[160 + 32] == 0x55);
	result("none of that type", ptrace(PTRACE_GETREGSET, pid, (void *)0x7777l, &iov));
	iov.iov_len = 7;
	result("of an odd length", ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &iov));
	iov = (struct iovec){state, 80};
	result("the first ten", ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &iov));
	check("ten", iov.iov_len == 80);
}

/* Counts its steps from a breakpoint-like start to its exit: every instruction and every call. */
static int steps_little(void *arg)
{
	__asm__ volatile("nop; nop; mov $110, %%eax; syscall; nop; ud2" ::: "rax", "rcx", "r11",
					 "memory");
	return arg != NULL;
}

static void steps(void)
{
	pid_t pid = traced_start(steps_little, NULL, 0);
	unsigned long rip, seen = 0;
	int status, count = 0;
	unsigned char code[2];

	/* To the first nop. */
	for (;; count++) {
		go_on(PTRACE_SINGLESTEP, pid, 0);
		status = stop_wait(pid);
		if (!WIFSTOPPED(status) || count > 5000)
			die("steps");
		rip = (unsigned long)ptrace(PTRACE_PEEKUSER, pid, REG(rip), NULL);
		memcpy(code, (void *)rip, 2);
		if (code[0] == 0x90 && code[1] == 0x90)
			break;
	}
	for (count = 0; WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP; count++) {
		go_on(PTRACE_SINGLESTEP, pid, 0);
		status = stop_wait(pid);
		seen = (unsigned long)ptrace(PTRACE_PEEKUSER, pid, REG(rip), NULL) - rip;
		say("at %lu: %s", seen, stop_text(status));
	}
	say("steps: %d", count);
	kill(pid, SIGKILL);
	stop_say("end", pid);
}

/* ---- without tracing */

static struct gate ready, go;

static int waits(void *arg)
{
	char *big = arg;

	memset(big, 'b', MIB);
	word = 0x5678;
	gate_open(&ready);
	gate_wait(&go);
	return big[70000] == 'w' && big[4096] == 'b' ? 0 : 1;
}

static void vm_calls(pid_t pid, char *big)
{
	char *copy = malloc(MIB);
	long value = 0;
	struct iovec here[3] = {{copy, 100}, {copy + 100, 0}, {copy + 100, MIB - 100}};
	struct iovec there[2] = {{big, 4096 * 3}, {big + 4096 * 3, MIB - 4096 * 3}};
	struct iovec one = {&value, sizeof(value)}, other = {(void *)&word, sizeof(word)};
	struct iovec nothing = {(void *)64, 8}, beyond = {big + MIB - 10, 4096};

	result("readv", process_vm_readv(pid, &one, 1, &other, 1, 0));
	check("its word", value == 0x5678 && word == 0x1234);
	result("readv of much", process_vm_readv(pid, here, 3, there, 2, 0));
	check("all of it", copy[0] == 'b' && !memcmp(copy, copy + 1, MIB - 1));
	memset(copy, 'w', MIB);
	here[0] = (struct iovec){copy, 1000};
	there[0] = (struct iovec){big + 69900, 1000};
	result("writev", process_vm_writev(pid, here, 1, there, 1, 0));
	result("of nothing", process_vm_readv(pid, &one, 1, &nothing, 1, 0));
	here[0] = (struct iovec){copy, 4096};
	result("beyond the end", process_vm_readv(pid, here, 1, &beyond, 1, 0));
	other = (struct iovec){(void *)constant, sizeof(*constant)};
	result("to what cannot be written", process_vm_writev(pid, &one, 1, &other, 1, 0));
	result("with flags", process_vm_readv(pid, &one, 1, &other, 1, 1));
	result("none", process_vm_readv(pid, &one, 0, &other, 1, 0));
	result("of nobody", process_vm_readv(99999, &one, 1, &other, 1, 0));
	one.iov_base = (void *)64;
	result("to nothing", process_vm_readv(pid, &one, 1, &other, 1, 0));
	free(copy);
}

static int open_of(pid_t pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return open(path, flags);
}

static void proc_files(pid_t pid, const char *big)
{
	static char text[65536];
	unsigned long aux[128];
	long value = 0;
	int fd = open_of(pid, "mem", O_RDWR);
	ssize_t n;

	result("mem", pread(fd, &value, sizeof(value), (off_t)&word));
	check("its word", value == 0x5678);
	value = 42;
	result("written where it cannot be", pwrite(fd, &value, sizeof(value), (off_t)constant));
	value = 0;
	result("read", pread(fd, &value, sizeof(value), (off_t)constant));
	check("changed", value == 42 && *constant == 99);
	result("nothing there", pread(fd, &value, sizeof(value), 64));
	close(fd);
	fd = open_of(pid, "maps", O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	snprintf(text + 60000, 100, "%lx-", (unsigned long)big);
	check("maps", strstr(text, text + 60000) && strstr(text, "[stack]") && strstr(text, "r-xp"));
	close(fd);
	fd = open_of(pid, "auxv", O_RDONLY);
	n = read(fd, aux, sizeof(aux));
	for (ssize_t i = 0; i + 16 <= n; i += 16)
		if (aux[i / 8] == AT_ENTRY)
			check("auxv", aux[i / 8 + 1] == getauxval(AT_ENTRY));
	close(fd);
	fd = open_of(pid, "environ", O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	check("environ", n > 0 && !memcmp(text, environ[0], strlen(environ[0])));
	close(fd);
	fd = open_of(pid, "syscall", O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	check("syscall", atoi(text) == SYS_read);
	close(fd);
}

static void untraced(void)
{
	char *big = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	gate_make(&ready);
	gate_make(&go);
	pid_t pid = child_start(waits, big);
	gate_wait(&ready);
	usleep(20000); /* it is in read by then, for what syscall shows */
	vm_calls(pid, big);
	proc_files(pid, big);
	gate_open(&go);
	child_report("end", pid);
}

int main(void)
{
	long *hidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	constant = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*constant = 99;
	mprotect((void *)constant, 4096, PROT_READ);
	pid_t pid = traced_start(calls_target, NULL, 0);

	words(pid, hidden);
	breakpoint(pid);
	units(pid);
	go_on(PTRACE_CONT, pid, 0);
	stop_say("end", pid);
	steps();
	untraced();
	return finish();
}
