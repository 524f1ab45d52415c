/* SPDX-License-Identifier: ISC */
/*
 * Calls that wait for nobody are never interrupted: on files, and with the argument "terminal" on
 * the terminal at standard input. A timer sends a signal every 0.2 ms and children end all the
 * time, both without SA_RESTART. What failed is counted by call, so that no other error passes
 * unseen either.
 * @test timeout=60 members=41
 */
#include "guest.h"
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/statfs.h>
#include <termios.h>

#define ROUNDS 120
#define ROUNDS_PER_CHILD 3

static struct {
	const char *call;
	int times, error;
} failures[64];
static int failure_kinds, rounds_failed;
static volatile sig_atomic_t ticks, ended;

static void handler(int number)
{
	if (number == SIGALRM)
		ticks++;
	else
		ended++;
}

static void failed(const char *call)
{
	int error = errno, i = 0;

	while (i < failure_kinds && (strcmp(failures[i].call, call) || failures[i].error != error))
		i++;
	if (i == failure_kinds) {
		if (failure_kinds == COUNT(failures))
			return;
		failures[failure_kinds++].call = call;
	}
	failures[i].times++;
	failures[i].error = error;
}

#define TRY(call)               \
	do {                        \
		if ((long)(call) == -1) \
			failed(#call);      \
	} while (0)

/* Linux fails these even if they had not to wait; the error is known, and the call works again. */
#define TRY_AGAIN(call)           \
	do {                          \
		while ((call) == -1)      \
			if (errno != EINTR) { \
				failed(#call);    \
				break;            \
			}                     \
	} while (0)

static char block[65536];

static void contents(int fd)
{
	struct stat info;
	struct statfs system;
	struct flock lock = {.l_type = F_WRLCK};
	struct timespec times[2] = {{1, 2}, {3, 4}};
	struct iovec pieces[2] = {{block, 100}, {block + 200, 300}};

	TRY(write(fd, block, sizeof(block)));
	TRY(pwrite(fd, block, 100, 5));
	TRY(pread(fd, block, sizeof(block), 0));
	TRY(lseek(fd, 0, SEEK_SET));
	TRY(writev(fd, pieces, 2));
	TRY(read(fd, block, sizeof(block)));
	TRY(fstat(fd, &info));
	TRY(fstatfs(fd, &system));
	TRY(ftruncate(fd, 7000));
	TRY(fchmod(fd, 0640));
	TRY(fchown(fd, getuid(), getgid()));
	TRY(futimens(fd, times));
	TRY(flock(fd, LOCK_EX));
	TRY(flock(fd, LOCK_UN));
	TRY(fcntl(fd, F_SETLKW, &lock));
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		failed("mmap");
	else
		TRY(munmap(memory, 4096));
}

static void names(void)
{
	struct stat info;
	struct dirent *entry;

	TRY(link("file", "other"));
	TRY(rename("other", "third"));
	TRY(stat("third", &info));
	TRY(unlink("third"));
	TRY(mkdir("folder", 0777));
	TRY(rmdir("folder"));
	TRY(symlink("file", "link"));
	TRY(readlink("link", block, 100));
	TRY(unlink("link"));
	TRY(chmod("file", 0600));
	TRY(access("file", R_OK));
	TRY(truncate("file", 3));
	TRY(mkfifo("fifo", 0600));
	TRY(unlink("fifo"));
	errno = 0;
	DIR *directory = opendir(".");
	if (!directory) {
		failed("opendir");
		return;
	}
	while ((entry = readdir(directory)) != NULL)
		;
	if (errno)
		failed("readdir");
	TRY(closedir(directory));
}

/* What the root directory has, and other calls that go to the host. */
static void outside(void)
{
	struct stat info;
	struct timespec now;
	struct rusage usage;
	int fd;

	TRY(fd = open("/etc/passwd", O_RDONLY));
	TRY(read(fd, block, 100));
	TRY(close(fd));
	TRY(stat("/etc/hosts", &info));
	TRY(fd = open("/proc/self/stat", O_RDONLY));
	TRY(read(fd, block, 100));
	TRY(close(fd));
	TRY(clock_gettime(CLOCK_MONOTONIC_RAW, &now));
	TRY(getrusage(RUSAGE_SELF, &usage));
	if (getrandom(block, 256, 0) != 256)
		failed("getrandom");
}

static void terminal(void)
{
	struct termios settings;
	struct winsize size;
	int bytes;

	if (!isatty(STDIN_FILENO))
		failed("isatty");
	TRY(tcgetattr(STDIN_FILENO, &settings));
	TRY(tcsetattr(STDIN_FILENO, TCSANOW, &settings));
	TRY_AGAIN(tcsetattr(STDIN_FILENO, TCSADRAIN, &settings));
	TRY(ioctl(STDIN_FILENO, TIOCGWINSZ, &size));
	TRY(ioctl(STDIN_FILENO, FIONREAD, &bytes));
	TRY(ioctl(STDIN_FILENO, TIOCOUTQ, &bytes));
	TRY_AGAIN(tcdrain(STDIN_FILENO));
	TRY(tcflush(STDIN_FILENO, TCIFLUSH));
}

static void one_round(bool on_terminal)
{
	int fd;

	TRY(fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0666));
	if (fd < 0) {
		rounds_failed++;
		return;
	}
	contents(fd);
	names();
	outside();
	for (int i = 0; i < 5 && on_terminal; i++)
		terminal();
	TRY(close(fd));
}

int main(int argc, char **argv)
{
	struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
	bool on_terminal = argc > 1 && !strcmp(argv[1], "terminal");

	work_dir();
	on_signal(SIGALRM, handler, 0);
	on_signal(SIGCHLD, handler, 0);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		pid_t pid = i % ROUNDS_PER_CHILD ? 0 : fork();
		if (i % ROUNDS_PER_CHILD == 0 && pid == 0)
			_exit(0);
		one_round(on_terminal);
		if (pid > 0)
			child_wait(pid);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	check("ticks came", ticks > 10);
	check("children ended", ended > 0);
	for (int i = 0; i < failure_kinds; i++)
		say("%s: %s", failures[i].call,
			failures[i].error == 512 ? "ERESTARTSYS" : errno_name(failures[i].error));
	say("%d kinds of failures, %d rounds failed", failure_kinds, rounds_failed);
	return failure_kinds || finish();
}
