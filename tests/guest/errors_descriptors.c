/* SPDX-License-Identifier: ISC */
/*
 * Every kind of open file against every call that takes a descriptor: what each answers, one line
 * per call. The files are made anew for each, so that none sees what another left.
 * @test timeout=120 members=3 nosvm
 */
#include "guest.h"
#include <linux/fs.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <termios.h>

enum {
	CLOSED,
	READ_ONLY,
	WRITE_ONLY,
	BOTH,
	APPEND,
	DIRECTORY,
	PATH,
	PIPE_OUT,
	PIPE_IN,
	FIFO,
	EVENT,
	EPOLL,
	TIMER,
	SIGNAL,
	INOTIFY,
	PROCESS,
	UNIX_STREAM,
	UNIX_DGRAM,
	TCP,
	UDP,
	NULL_DEVICE,
	ZERO,
	RANDOM,
	MEMFD,
	PROC_FILE,
	PROC_DIRECTORY,
	PTY,
	KINDS
};

static const char *const kind_names[KINDS] = {"closed", "rdonly", "wronly", "rdwr", "append", "dir",
	"path", "pipe-r", "pipe-w", "fifo", "eventfd", "epoll", "timerfd", "signalfd", "inotify",
	"pidfd",
	"unix", "dgram", "tcp", "udp", "null", "zero", "urandom", "memfd", "proc", "procdir", "pty"};

static int fds[KINDS], other_pipe[2], other_file, spare[8], spare_count;
static pid_t sleeper;
static char *bad, *page;

static int keep(int fd)
{
	return spare[spare_count++] = fd;
}

static void files_open(void)
{
	int ends[2];
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	file_write("f", "some text in a file\n");
	fds[CLOSED] = 900;
	fds[READ_ONLY] = open("f", O_RDONLY);
	fds[WRITE_ONLY] = open("f", O_WRONLY);
	fds[BOTH] = open("f", O_RDWR);
	fds[APPEND] = open("f", O_RDWR | O_APPEND);
	fds[DIRECTORY] = open(".", O_RDONLY | O_DIRECTORY);
	fds[PATH] = open("f", O_PATH);
	if (pipe2(ends, O_NONBLOCK) < 0)
		die("pipe");
	fds[PIPE_OUT] = ends[0];
	keep(ends[1]);
	if (pipe2(ends, O_NONBLOCK) < 0)
		die("pipe");
	fds[PIPE_IN] = ends[1];
	keep(ends[0]);
	fds[FIFO] = open("fifo", O_RDWR | O_NONBLOCK);
	fds[EVENT] = eventfd(0, EFD_NONBLOCK);
	fds[EPOLL] = epoll_create1(0);
	fds[TIMER] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	fds[SIGNAL] = signalfd(-1, &set, SFD_NONBLOCK);
	fds[INOTIFY] = inotify_init1(IN_NONBLOCK);
	fds[PROCESS] = (int)syscall(SYS_pidfd_open, sleeper, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0)
		die("socketpair");
	fds[UNIX_STREAM] = ends[0];
	keep(ends[1]);
	fds[UNIX_DGRAM] = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	fds[TCP] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	fds[UDP] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	fds[NULL_DEVICE] = open("/dev/null", O_RDWR);
	fds[ZERO] = open("/dev/zero", O_RDWR);
	fds[RANDOM] = open("/dev/urandom", O_RDONLY);
	fds[MEMFD] = memfd_create("m", MFD_ALLOW_SEALING);
	fds[PROC_FILE] = open("/proc/self/stat", O_RDONLY);
	fds[PROC_DIRECTORY] = open("/proc/self", O_RDONLY | O_DIRECTORY);
	fds[PTY] = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (pipe2(other_pipe, O_NONBLOCK) < 0)
		die("pipe");
	other_file = open("other", O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (int i = 1; i < KINDS; i++)
		if (fds[i] < 0)
			die(kind_names[i]);
	write_all(other_pipe[1], "hello", 5);
	write_all(other_file, "hello", 5);
	lseek(other_file, 0, SEEK_SET);
}

static void files_close(void)
{
	for (int i = 1; i < KINDS; i++)
		close(fds[i]);
	while (spare_count > 0)
		close(spare[--spare_count]);
	close(other_pipe[0]);
	close(other_pipe[1]);
	close(other_file);
}

#define BUFFER (page + 100)
#define B(kind) (1u << (kind))
#define OP_BUT(name, left_out, call)       \
	static long op_##name(int fd UNUSED)   \
	{                                      \
		return (call);                     \
	}
#include "errors_descriptors.def"
#undef OP_BUT

static const struct {
	const char *name;
	long (*call)(int fd);
	uint32_t left_out;
} operations[] = {
#define OP_BUT(name, left_out, call) {#name, op_##name, left_out},
#include "errors_descriptors.def"
#undef OP_BUT
};

static void operation_run(size_t op)
{
	char line[1000];
	int length = snprintf(line, sizeof(line), "%s:", operations[op].name);
	char text[40];

	files_open();
	for (int kind = 0; kind < KINDS; kind++) {
		if (operations[op].left_out & B(kind))
			continue;
		memset(page, 0, 4096);
		errno = 0;
		long rc = operations[op].call(fds[kind]);
		if (rc == -1)
			snprintf(text, sizeof(text), "%s", errno_name(errno));
		else
			snprintf(text, sizeof(text), "%s", rc > 0 ? "more" : "0");
		length += snprintf(line + length, sizeof(line) - (size_t)length, " %s=%s",
			kind_names[kind], text);
	}
	say("%s", line);
	files_close();
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGIO, SIG_IGN);
	work_dir();
	if (mkfifo("fifo", 0600) < 0)
		die("mkfifo");
	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bad = page + 4096;
	mprotect(bad, 4096, PROT_NONE);
	sleeper = fork_or_die();
	if (sleeper == 0)
		for (;;)
			pause();
	for (size_t op = 0; op < COUNT(operations); op++)
		operation_run(op);
	kill(sleeper, SIGKILL);
	child_wait(sleeper);
	return finish();
}
