/* SPDX-License-Identifier: ISC */
/*
 * Host calls with arguments that a monitor never uses, made past all of its checks through a
 * `syscall` instruction of its text (process backend): none may get through. Descriptors hide in
 * the lower half of a register, memory is shared that nobody counts, clocks and timers are other
 * processes', structures are the guest's own instead of the monitor's constants, and the memory
 * that those lie in is written or replaced. argv[1]: a FIFO of the host that holds a secret.
 * @test timeout=60 members=50 nosvm
 */
#include "gadget.h"
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#define HIGH (1L << 32)
#define INTERRUPT 36 /* MONITOR_SIGNAL */

static const struct boot_info *const boot = (const struct boot_info *)BOOT_INFO_ADDR;
static const char *fifo;
static int root;
static char room[4096] __attribute__((aligned(4096)));

struct try {
	const char *name;
	long nr, a, b, c, d, e;
};

/* The monitor's own text and constants; a page of each. */
static long text_page(void)
{
	return (long)(boot->hypercall_entry & -4096ULL);
}

static const struct open_how *constant(void)
{
	return monitor_how(boot, O_PATH | O_NOFOLLOW, 0);
}

static int trying(void *argument)
{
	const struct try *t = argument;

	return host(t->nr, t->a, t->b, t->c, t->d, t->e) >= 0;
}

static long fifo_open(void)
{
	return monitor_open(boot, root, fifo, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW, 0);
}

/* Over standard input, where read(2) is allowed. */
static int over_input(void *number)
{
	long fd = fifo_open();

	return host(SYS_dup3, fd, (long)(intptr_t)number, O_CLOEXEC, 0, 0) >= 0 ||
		   host(SYS_read, 0, (long)room, sizeof(room), 0, 0) > 0;
}

static int into_input(void *number)
{
	host(SYS_close, (long)(intptr_t)number, 0, 0, 0, 0);
	return fifo_open() == 0 && host(SYS_read, 0, (long)room, sizeof(room), 0, 0) > 0;
}

static int read_high(void *unused)
{
	long fd = fifo_open();

	(void)unused;
	return fd < 3 || host(SYS_read, fd | HIGH, (long)room, sizeof(room), 0, 0) > 0 ||
		   host(SYS_pread64, fd, (long)room, sizeof(room), 0, 0) > 0;
}

static int shared_memory_of(void *address)
{
	long flags = MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | (address ? MAP_FIXED : 0);

	return host(SYS_mmap, (long)address, MIB, PROT_READ | PROT_WRITE, flags, -1) >= 0;
}

static int other_clock(void *pid)
{
	clockid_t id = (clockid_t)(~(unsigned)(uintptr_t)pid << 3 | 2);

	return host(SYS_clock_gettime, id, (long)room, 0, 0, 0) == 0;
}

static int other_clock_high(void *pid)
{
	clockid_t id = (clockid_t)(~(unsigned)(uintptr_t)pid << 3 | 2);

	return host(SYS_clock_gettime, (long)((unsigned)id | HIGH), (long)room, 0, 0, 0) == 0;
}

static int make_timer(void *unused)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 36};
	int id;

	(void)unused;
	return host(SYS_timer_create, CLOCK_MONOTONIC, (long)&event, (long)&id, 0, 0) == 0;
}

static int own_how(void *flags)
{
	struct open_how how = {.flags = (uintptr_t)flags};

	return host(SYS_openat2, root, (long)"/", (long)&how, sizeof(how), 0) >= 0;
}

/* What stands between two of the constants, or is shorter. */
static int odd_how(void *offset)
{
	return host(SYS_openat2, root, (long)"/", (long)constant() + (intptr_t)offset,
				sizeof(struct open_how), 0) >= 0;
}

static int write_how(void *unused)
{
	(void)unused;
	((struct open_how *)constant())->flags = O_RDWR;
	return 1;
}

static int replace_how(void *flags)
{
	long page = (long)constant() & -4096L;

	return host(SYS_mmap, page, 4096, PROT_READ | PROT_WRITE, (long)(intptr_t)flags, -1) == page;
}

static int replace_around(void *unused)
{
	long start = (long)PRIVATE_END - 4096, length = ((long)constant() & -4096L) + 4096 - start;

	(void)unused;
	return host(SYS_mprotect, start, length, PROT_READ | PROT_WRITE, 0, 0) == 0 ||
		   host(SYS_madvise, start, length, MADV_DONTNEED, 0, 0) == 0;
}

static void one_call_each(void)
{
	const long page = text_page(), how = (long)constant() & -4096L;
	const struct try tries[] = {
		{"close of input by its lower half", SYS_close, HIGH, 0, 0, 0, 0},
		{"ioctl by the upper half", SYS_ioctl, 3 | HIGH, 0x5401, (long)room, 0, 0},
		{"ioctl that puts input into a terminal", SYS_ioctl, 0, 0x5412, (long)"x", 0, 0},
		{"text made writable", SYS_mprotect, page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, 0, 0},
		{"constants made writable", SYS_mprotect, how, 4096, PROT_READ | PROT_WRITE, 0, 0},
		{"text given back", SYS_madvise, page, 4096, MADV_DONTNEED, 0, 0},
		{"text unmapped", SYS_munmap, page, 4096, 0, 0, 0},
		{"text moved", SYS_mremap, page, 4096, 4096, 0, 0},
		{"attributes by a path", SYS_statx, root, (long)"etc", AT_EMPTY_PATH, 0x7ff, (long)room},
		{"attributes from nowhere", SYS_statx, AT_FDCWD, (long)"", AT_EMPTY_PATH, 1, (long)room},
		{"a link by a path", SYS_readlinkat, root, (long)"/proc/self", (long)room, 99, 0},
		{"a link from nowhere", SYS_readlinkat, AT_FDCWD, (long)"/proc/self", (long)room, 99, 0},
		{"opening from nowhere", SYS_openat2, AT_FDCWD, (long)"/", how, 24, 0},
		{"opening from nowhere, 32 bits", SYS_openat2, (unsigned)AT_FDCWD, (long)"/", how, 24, 0},
		{"waking who waits elsewhere", SYS_futex, (long)room, 1, 1, 0, 0},
		{"another futex operation", SYS_futex, KIN_BASE, 3, 1, 0, KIN_BASE + 4},
		{"profiling timer", SYS_setitimer, ITIMER_PROF, (long)room, 0, 0, 0},
		{"signal to who started it", SYS_kill, 0, INTERRUPT, 0, 0, 0},
		{"signal to a group", SYS_kill, -2, INTERRUPT, 0, 0, 0},
		{"signal to all", SYS_kill, -1, INTERRUPT, 0, 0, 0},
		{"process of another kind", SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0},
		{"new namespace", SYS_clone, CLONE_PARENT | CLONE_NEWUSER, 0, 0, 0, 0},
		{"clone flag in the upper half", SYS_clone, CLONE_PARENT | HIGH, 0, 0, 0, 0},
		{"survival of the supervisor", SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0},
		{"dumping", SYS_prctl, 4, 1, 0, 0, 0},
		{"a directory without a volume", SYS_mkdirat, root, (long)"tmp/x", 0700, 0, 0},
		{"a socket", SYS_socket, AF_UNIX, SOCK_DGRAM, 0, 0, 0},
		{"a message", SYS_sendmsg, 1, (long)room, 0, 0, 0},
		{"heap", SYS_brk, 0, 0, 0, 0, 0},
		{"signal mask", SYS_rt_sigprocmask, 0, 0, (long)room, 8, 0},
		{"mask while waiting", SYS_ppoll, 0, 0, (long)room, (long)room, 8},
		{"x32 call", 0x40000000L | SYS_getpid, 0, 0, 0, 0, 0},
	};

	for (size_t i = 0; i < COUNT(tries); i++)
		attempt(tries[i].name, trying, (void *)&tries[i]);
}

static void direct(void)
{
	if (!gadget_find(boot))
		return;
	root = monitor_root(boot);
	/* What monitors do works from here as well: the refusals below have other reasons. */
	check("own id", host(SYS_getpid, 0, 0, 0, 0, 0) > 1);
	check("constants", constant() != NULL && root > 2);
	check("opening", fifo_open() > 2);
	check("a clock", host(SYS_clock_gettime, CLOCK_MONOTONIC, (long)room, 0, 0, 0) == 0);
	check("waking", host(SYS_futex, KIN_BASE, 1, 1, 0, 0) == 0);
	attempt("over input", over_input, 0);
	attempt("over input by its lower half", over_input, (void *)HIGH);
	attempt("over input, negative", over_input, (void *)~0xffffffffL);
	attempt("into input", into_input, 0);
	attempt("into input by its lower half", into_input, (void *)HIGH);
	attempt("reading by the upper half", read_high, NULL);
	attempt("shared memory", shared_memory_of, NULL);
	attempt("shared memory in private memory", shared_memory_of, (void *)0x200000000);
	for (uintptr_t pid = 1; pid <= 4; pid++)
		attempt("another's clock", other_clock, (void *)pid);
	attempt("another's clock, 32 bits", other_clock_high, (void *)1);
	attempt("a POSIX timer", make_timer, NULL);
	attempt("own way of opening", own_how, (void *)O_RDONLY);
	attempt("own way of truncating", own_how, (void *)(uintptr_t)(O_RDONLY | O_TRUNC));
	attempt("between constants", odd_how, (void *)8);
	attempt("before constants", odd_how, (void *)-32);
	attempt("changing a constant", write_how, NULL);
	attempt("replacing constants", replace_how,
			(void *)(uintptr_t)(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED));
	attempt("replacing constants as the guest's", replace_how,
			(void *)(uintptr_t)(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE));
	attempt("all of memory", replace_around, NULL);
	one_call_each();
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("arguments");
	fifo = argv[1];
	if (boot->backend == BACKEND_PROCESS)
		direct();
	else
		say("the monitor is in another address space");
	return finish();
}
