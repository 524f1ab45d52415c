/* SPDX-License-Identifier: ISC */
/*
 * A guest that talks to its monitor itself, past its kernel: hypercalls with odd numbers and
 * arguments, paths out of the root, and, where the guest runs on the host (process backend), host
 * system calls made by jumping to the monitor's own `syscall` instructions. Started with --root
 * and the path of a host file outside of it. Nothing may come back from there.
 * @test timeout=240 members=200 nosvm
 */
#include "hostile.h"

#include <linux/openat2.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "abi/boot.h"
#include "abi/hypercall.h"
#include "abi/layout.h"

#define BOOT ((volatile struct boot_info *)BOOT_INFO_ADDR)
#define ROUNDS 60
#define SCAN_BYTES (4L << 20)

static const char *secret;
static uintptr_t gadget; /* syscall; ret */

static uint64_t odd_value(uint64_t *seed)
{
	const uint64_t values[] = {0,
							   1,
							   2,
							   3,
							   4096,
							   ~0ULL,
							   1ULL << 63,
							   KIN_END,
							   1ULL << 32,
							   BOOT_INFO_ADDR,
							   HYPERCALL_ADDR,
							   KERNEL_IMAGE,
							   0x7ffffffff000,
							   (uintptr_t)&seed,
							   (uintptr_t)&secret & -4096ULL,
							   BOOT->hypercall_entry,
							   BOOT->hypercall_entry & -4096ULL};

	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	uint64_t pick = *seed >> 33, drawn = *seed >> (pick / 3 % 60);
	if (pick % 3 || (drawn >= KIN_BASE && drawn < KIN_END))
		return values[pick / 3 % COUNT(values)];
	return drawn;
}

static int64_t hypercall(uint64_t number, const uint64_t *arguments)
{
	volatile struct hypercall_frame *frame = (struct hypercall_frame *)HYPERCALL_ADDR;

	frame->number = number;
	frame->ret = -1;
	for (int i = 0; i < HYPERCALL_ARGS; i++)
		frame->arg[i] = arguments[i];
	if (BOOT->hypercall_entry)
		((void (*)(void))BOOT->hypercall_entry)();
	else
		__asm__ volatile("out %%al, %0" : : "i"(HYPERCALL_PORT) : "memory");
	return frame->ret;
}

/*
 * Whatever the answers are: the family's other members go on, which main looks at. kin_discard and
 * addresses in kin are left out, because kin is the family's own to destroy.
 */
static int random_hypercalls(void *number)
{
	uint64_t seed = (uintptr_t)number + 4711, arguments[HYPERCALL_ARGS];

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < HYPERCALL_ARGS; i++)
			arguments[i] = odd_value(&seed);
		hypercall((uintptr_t)number, arguments);
	}
	return 0;
}

/* Its kernel finds nothing where it looks for the current thread, and cannot hear a signal. */
static int deaf(void *unused)
{
	(void)unused;
	memset((void *)PERCPU_ADDR, 0xff, HYPERCALL_ADDR - PERCPU_ADDR);
	for (;;)
		__asm__ volatile("pause");
	return 0;
}

/* The answer to opening a path by hypercall; what it names must not be the secret. */
static int open_outside(void *path)
{
	uint64_t open_it[HYPERCALL_ARGS] = {(uintptr_t)path};
	int64_t handle = hypercall(HYP_fs_open, open_it);
	char text[64] = "";

	if (handle < 0)
		return 0;
	uint64_t read_it[HYPERCALL_ARGS] = {(uint64_t)handle, (uintptr_t)text, sizeof(text) - 1, 0};
	hypercall(HYP_fs_pread, read_it);
	return strstr(text, "secret") != NULL;
}

static void paths_out(void)
{
	static char paths[8][PATH_MAX];
	const char *name = strrchr(secret, '/') + 1;

	snprintf(paths[0], PATH_MAX, "%s", secret);
	snprintf(paths[1], PATH_MAX, "../%s", name);
	snprintf(paths[2], PATH_MAX, "/../%s", name);
	snprintf(paths[3], PATH_MAX, "bin/../../%s", name);
	snprintf(paths[4], PATH_MAX, "up");
	snprintf(paths[5], PATH_MAX, "absolute");
	snprintf(paths[6], PATH_MAX, "outside/%s", name);
	snprintf(paths[7], PATH_MAX, "/proc/self/root%s", secret);
	for (int i = 0; i < 8; i++)
		attempt("a path out of the root", open_outside, paths[i]);
}

static long host_call(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long answer;

	__asm__ volatile("call *%1"
					 : "=a"(answer)
					 : "r"(gadget), "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
					 : "rcx", "r11", "memory");
	return answer;
}

static int open_secret(void *directory)
{
	struct open_how how = {.flags = O_RDONLY};

	return host_call(SYS_openat2, (intptr_t)directory, (long)secret, (long)&how, sizeof(how), 0) >=
		   0;
}

static int write_root(void *directory)
{
	struct open_how how = {.flags = O_WRONLY | O_CREAT, .mode = 0600};

	return host_call(SYS_openat2, (intptr_t)directory, (long)"intruder", (long)&how, sizeof(how),
					 0) >= 0;
}

static int stat_secret(void *directory)
{
	char room[512];

	return host_call(SYS_statx, (intptr_t)directory, (long)secret, 0, STATX_BASIC_STATS,
					 (long)room) >= 0;
}

static int name_secret(void *directory)
{
	struct open_how how = {.flags = O_PATH};

	return host_call(SYS_openat2, (intptr_t)directory, (long)secret, (long)&how, sizeof(how), 0) >=
		   0;
}

static int link_secret(void *directory)
{
	char room[512];
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s.link", secret);
	return host_call(SYS_readlinkat, (intptr_t)directory, (long)path, (long)room, sizeof(room),
					 0) >= 0;
}

/* A system call that no monitor needs: an answer other than an error means that it was made. */
static int forbidden(void *number)
{
	return host_call((intptr_t)number, (intptr_t)AT_FDCWD, (long)secret, 0, 0, 0) >= 0;
}

static int kill_parent(void *unused)
{
	(void)unused;
	return host_call(SYS_kill, host_call(SYS_getppid, 0, 0, 0, 0, 0), 0, 0, 0, 0) == 0;
}

static int new_thread(void *unused)
{
	(void)unused;
	return host_call(SYS_clone, 0x100 | 0x400 | 0x10000 | 0x800, 0, 0, 0, 0) >= 0;
}

/* Reads the monitor's text from its hypercall entry on; a fault ends the attempt, not the test. */
static uintptr_t gadget_find(void)
{
	volatile uintptr_t *found = shared_memory(4096);
	pid_t pid = fork_or_die();

	if (pid == 0) {
		const unsigned char *p = (const unsigned char *)BOOT->hypercall_entry;
		for (long i = 0; i < SCAN_BYTES && !*found; i++)
			if (p[i] == 0x0f && p[i + 1] == 0x05 && p[i + 2] == 0xc3)
				*found = (uintptr_t)(p + i);
		_exit(0);
	}
	child_wait(pid);
	return *found;
}

static void host_calls(void)
{
	static const int numbers[] = {
		SYS_socket,   SYS_execve,         SYS_ptrace,  SYS_openat,   SYS_unlinkat, SYS_mount,
		SYS_chroot,   SYS_setns,          SYS_unshare, SYS_bpf,      SYS_stat,     SYS_mkdirat,
		SYS_renameat, SYS_io_uring_setup, SYS_keyctl,  SYS_fchmodat, SYS_fchownat, SYS_prctl};

	gadget = gadget_find();
	check("the monitor's text has a system call", gadget != 0);
	if (!gadget)
		return;
	check("and it works", host_call(SYS_getpid, 0, 0, 0, 0, 0) > 1);
	for (int directory = 0; directory < 12; directory++) {
		void *number = (void *)(intptr_t)directory;
		attempt("opening the secret", open_secret, number);
		attempt("writing below the root", write_root, number);
		attempt("attributes of the secret", stat_secret, number);
		attempt("a handle of the secret", name_secret, number);
		attempt("a link beside the secret", link_secret, number);
	}
	attempt("the same from here", stat_secret, (void *)(intptr_t)AT_FDCWD);
	for (size_t i = 0; i < COUNT(numbers); i++)
		attempt("a forbidden system call", forbidden, (void *)(intptr_t)numbers[i]);
	attempt("a signal to the supervisor", kill_parent, NULL);
	attempt("a thread", new_thread, NULL);
}

int main(int argc, char **argv)
{
	volatile int *canary = shared_memory(4096);

	if (argc != 2)
		die("the path of a host file is missing");
	secret = argv[1];
	*canary = 4711;
	if (BOOT->hypercall_entry)
		host_calls();
	paths_out();
	for (uintptr_t number = 0; number < HYPERCALL_COUNT + 3; number++)
		if (number != HYP_kin_discard)
			attempt("random hypercalls", random_hypercalls, (void *)number);
	attempt("a kernel destroyed", deaf, NULL);
	say("canary: %d", *canary);
	return finish();
}
