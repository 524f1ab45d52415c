/* SPDX-License-Identifier: ISC */
/*
 * Random system calls with arguments that are nearly right, in children that end soon. Whatever
 * they do to themselves and to each other, the kernel goes on: this program, their parent, counts
 * them to the end. Arguments: SEED FIRST ROUNDS; round N depends on SEED and N alone, as far as the
 * processes of one round do not race. With a fourth argument it names each call before it is made.
 * Never run natively: it refuses unless it is process 1.
 * @test timeout=600 members=4096
 */
#include "guest.h"

#define CALLS_PER_CHILD 300
#define ROUND_MS 1500
#define NUMBERS 462
#define PAGE 4096UL
#define KERNEL_WINDOW 0x35000000UL
#define KIN 0x470000000000UL

static uint64_t state;
static bool verbose;

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t below(uint64_t limit)
{
	return draw() % limit;
}

/* Would end the parent, or the child before it has done anything. */
static bool is_left_out(long number)
{
	switch (number) {
	case SYS_exit:
	case SYS_exit_group:
	case SYS_rt_sigreturn:
	case SYS_kill:
	case SYS_tkill:
	case SYS_tgkill:
	case SYS_rt_sigqueueinfo:
	case SYS_rt_tgsigqueueinfo:
	case SYS_pidfd_send_signal:
	case SYS_pause:
	case SYS_alarm:
	case SYS_setitimer: return true;
	}
	return false;
}

static char *arena; /* three pages; behind them nothing is mapped */

static const char *const paths[] = {
	"a", "b", "d", "d/e", "../d", ".", "..", "", "/", "/tmp", "/proc/self/fd/3", "/proc/self/mem",
	"/proc/self/maps", "/proc/1/status", "/proc/self/task", "/dev/null", "/dev/zero", "/dev/tty",
	"/dev/ptmx", "/dev/pts/0", "/dev/shm/x", "/etc/passwd", "/bin/busybox", "/proc/self/exe",
	"fifo", "link", "/sys/devices/system/cpu/online", "/no/such/file",
};

/* A place in the arena that holds small numbers, text, or noise; sometimes up to its very end. */
static uint64_t buffer(void)
{
	size_t at = below(4) ? below(2 * PAGE) & ~7UL : 3 * PAGE - below(64);

	switch (below(4)) {
	case 0:
		for (size_t i = at; i < at + 64 && i < 3 * PAGE; i++)
			arena[i] = (char)draw();
		break;
	case 1:
		for (size_t i = at & ~7UL; i + 8 <= 3 * PAGE && i < at + 128; i += 8)
			*(uint64_t *)(arena + i) = below(3) ? below(20) : (uint64_t)arena + below(3 * PAGE);
		break;
	case 2: {
		const char *path = paths[below(COUNT(paths))];
		if (at + strlen(path) + 1 < 3 * PAGE)
			strcpy(arena + at, path);
		break;
	}
	}
	return (uint64_t)arena + at;
}

static uint64_t address(void)
{
	static const uint64_t odd[] = {
		0, 1, PAGE, KERNEL_WINDOW, KERNEL_WINDOW + 0x1000, KERNEL_WINDOW + 0x100000, 0x050f0000,
		KIN, KIN + 0x1000, KIN - PAGE, ~0UL, 1UL << 47, (1UL << 47) - PAGE, 1UL << 63, 0xfffff000,
	};

	return below(4) ? buffer() : odd[below(COUNT(odd))] + (below(4) ? 0 : below(2 * PAGE));
}

static uint64_t argument(void)
{
	static const uint64_t sizes[] = {0, 1, 2, 8, 16, 64, 4095, 4096, 65536, 1 << 20, 1 << 31,
									 1UL << 31, 1UL << 40, ~0UL, ~0UL - 4095};

	switch (below(8)) {
	case 0:
	case 1: return below(12); /* descriptors, small flags and counts */
	case 2: return (uint64_t)-(int64_t)below(101); /* AT_FDCWD is -100 */
	case 3: return sizes[below(COUNT(sizes))];
	case 4: return 1UL << below(34) | (below(2) ? 1UL << below(34) : 0);
	default: return address();
	}
}

/* Descriptors of all kinds, so that small numbers mean something. */
static void descriptors(void)
{
	int pair[2];

	open("a", O_RDWR | O_CREAT, 0600);
	pipe(pair);
	syscall(SYS_socketpair, 1 /* AF_UNIX */, 1 + below(2), 0, pair);
	syscall(SYS_eventfd2, 1, O_NONBLOCK);
	syscall(SYS_epoll_create1, 0);
	syscall(SYS_timerfd_create, CLOCK_MONOTONIC, O_NONBLOCK);
	syscall(SYS_memfd_create, "m", 2 /* MFD_ALLOW_SEALING */);
	syscall(SYS_inotify_init1, O_NONBLOCK);
}

static void random_calls(void)
{
	for (int i = 0; i < CALLS_PER_CHILD; i++) {
		long number = (long)below(NUMBERS);
		uint64_t a[6];

		for (int j = 0; j < 6; j++)
			a[j] = argument();
		/* Processes are made, but not by every other child. */
		if (is_left_out(number) || ((number == SYS_fork || number == SYS_vfork ||
									 number == SYS_clone || number == SYS_clone3) && below(8)))
			continue;
		if (number == SYS_clone) /* a stack in the kernel's window is an attack: tests/security */
			a[1] = below(2) ? 0 : buffer();
		if (verbose)
			fprintf(stderr, "%d: %ld(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx)\n", getpid(), number, a[0],
					a[1], a[2], a[3], a[4], a[5]);
		syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
}

/* Interrupts what blocks. */
static void on_alarm(int number)
{
	(void)number;
}

static void child(void)
{
	struct itimerval timer = {.it_interval = {.tv_usec = 20000}, .it_value = {.tv_usec = 20000}};
	struct sigaction sa = {.sa_handler = on_alarm};

	setpgid(0, 0);
	arena = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED || munmap(arena + 3 * PAGE, PAGE))
		_exit(2);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (int fd = 0, null = open("/dev/null", O_RDWR); fd < (verbose ? 2 : 3); fd++)
		dup2(null, fd);
	mkdir("d", 0700);
	mkfifo("fifo", 0600);
	descriptors();
	random_calls();
	_exit(0);
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* All there is but this process. */
static void end_everybody(void)
{
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static void one_round(uint64_t seed, long round)
{
	long end = now_ms() + ROUND_MS;
	pid_t pids[2];

	for (int i = 0; i < 2; i++) {
		state = (seed + 1) * 0x9e3779b97f4a7c15UL;
		state ^= (uint64_t)(2 * round + i + 1) * 0xbf58476d1ce4e5b9UL;
		pids[i] = fork();
		if (pids[i] == 0)
			child();
	}
	for (int left = 2; left > 0 && now_ms() < end;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		left -= pid > 0 && (pid == pids[0] || pid == pids[1]);
		if (pid <= 0)
			usleep(2000);
	}
	end_everybody();
}

int main(int argc, char **argv)
{
	if (argc < 4 || getpid() != 1 || getuid() != 0)
		die("SEED FIRST ROUNDS, as process 1 of a family");
	uint64_t seed = strtoull(argv[1], NULL, 0);
	long first = atol(argv[2]), rounds = atol(argv[3]);

	verbose = argc > 4;
	if (mkdir("/tmp/fuzz", 0700) || chdir("/tmp/fuzz"))
		die("directory");
	for (long i = first; i < first + rounds; i++)
		one_round(seed, i);
	say("%ld rounds", rounds);
	return 0;
}
