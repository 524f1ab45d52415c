/* SPDX-License-Identifier: ISC */
/* Deaths in what changes descriptors, their tables and pipes. */
#include "operations.h"

#include <sys/syscall.h>

static int ends[2];
static char block[70000];
static pid_t sharer;

static void make_pipe(void)
{
	if (pipe(ends) < 0)
		die("pipe");
}

/* With no writer left but the dead: the end. With no reader left: a broken pipe. */
static void pipe_ends_gone(void)
{
	struct pollfd fd = {.fd = ends[0], .events = POLLIN};
	ssize_t n;

	close(ends[1]);
	if (poll(&fd, 1, 3000) != 1)
		wrong("the reader of the dead's pipe sees no end");
	else
		while ((n = read(ends[0], block, sizeof(block))) > 0)
			;
	close(ends[0]);
}

static void act_pipe(void)
{
	int fd[2];

	pipe(fd);
}

static void act_pipe_close(void)
{
	close(ends[0]);
	close(ends[1]);
}

static void ready_own_pipe(void)
{
	close(ends[0]);
	close(ends[1]);
	make_pipe();
}

static void act_dup(void)
{
	dup(ends[1]);
}

static void act_dup_over(void)
{
	dup2(ends[1], ends[0]);
}

static void act_dup_grow(void)
{
	fcntl(ends[1], F_DUPFD, 200);
}

static void act_close_range(void)
{
	syscall(SYS_close_range, ends[0], ends[1], 0);
}

/* A table that two processes share, and only one of them dies. */
#define SHARED_STACK 65536
static char sharer_stack[SHARED_STACK] __attribute__((aligned(16)));
static int back[2];

static int sharer_lives(void *unused)
{
	char c;

	(void)unused;
	/* What the victim shares with it goes on being there. */
	if (read(back[0], &c, 1) != 1)
		_exit(1);
	_exit(fcntl(ends[0], F_GETFD) < 0 || fcntl(ends[1], F_GETFD) < 0 ? 2 : 0);
}

static void prepare_shared(void)
{
	make_pipe();
	if (pipe(back) < 0)
		die("pipe");
}

/* The sharer is the victim's sibling, so that PID 1 sees its end. */
static void ready_shared(void)
{
	sharer = clone(sharer_lives, sharer_stack + SHARED_STACK, CLONE_FILES | CLONE_PARENT | SIGCHLD,
				   NULL);
	if (sharer < 0)
		die("clone");
	close(back[1]);
}

static void check_shared(void)
{
	int status;

	if (write(back[1], "x", 1) != 1)
		wrong("the sharer of a table has lost its pipe: %s", errno_name(errno));
	if (waitpid(-1, &status, 0) < 0)
		wrong("the sharer of a table: %s", errno_name(errno));
	else if (status)
		wrong("the sharer of a table: %s", status_text(status));
	close(back[0]);
	close(back[1]);
	pipe_ends_gone();
}

static void act_unshare(void)
{
	syscall(SYS_close_range, 500, 600, 2 /* CLOSE_RANGE_UNSHARE */);
}

static void act_exec_shared(void)
{
	execl("/proc/self/exe", "operations", "leaf", NULL);
}

static void act_exit(void)
{
	_exit(0);
}

/* A table that its process's threads share is looked at with its lock. */
static __attribute__((noreturn)) int idle_thread(void *unused)
{
	(void)unused;
	for (;;)
		pause();
}

static void ready_thread(void)
{
	if (clone(idle_thread, sharer_stack + SHARED_STACK,
			  CLONE_FILES | CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
			  NULL) < 0)
		die("clone of a thread");
}

static void act_write(void)
{
	write(ends[1], block, 5000);
}

static void fill_pipe(void)
{
	make_pipe();
	if (write(ends[1], block, 6000) != 6000)
		die("write");
}

static void act_read(void)
{
	read(ends[0], block, 5000);
}

/* Packets, of which the second is read in part. */
static void act_packets(void)
{
	fcntl(ends[1], F_SETFL, O_DIRECT);
	write(ends[1], "first", 5);
	write(ends[1], "second", 6);
	read(ends[0], block, 100);
	write(ends[1], "third", 5);
	read(ends[0], block, 3);
}

/* Those that are left are whole or gone (one that was being read may be cut), then new ones are. */
static void check_packets(void)
{
	ssize_t n, last = 0;

	fcntl(ends[1], F_SETFL, O_DIRECT | O_NONBLOCK);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	while ((n = read(ends[0], block, 100)) > 0)
		if (n != 5 && n != 6)
			wrong("a packet of %zd bytes", n);
	for (int i = 1; i <= 16; i++)
		if (write(ends[1], "0123456789abcdefgh", (size_t)i) != i)
			wrong("no room for packet %d", i);
	for (int i = 1; i <= 16; i++)
		if ((last = read(ends[0], block, 100)) != i)
			wrong("packet %d of %zd bytes", i, last);
	pipe_ends_gone();
}

static void act_grow(void)
{
	fcntl(ends[1], F_SETPIPE_SZ, 4 * 65536);
}

static void act_shrink(void)
{
	fcntl(ends[1], F_SETPIPE_SZ, 8192);
}

/* A full pipe takes no more, says so, and goes on once it is read. */
static void check_resize(void)
{
	struct pollfd fd = {.fd = ends[1], .events = POLLOUT};
	long size = fcntl(ends[0], F_GETPIPE_SZ), left = 6000;
	ssize_t n;

	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	while ((n = write(ends[1], block, sizeof(block))) > 0)
		left += n;
	expect_result("bytes in a full pipe that was resized", left, size);
	if (poll(&fd, 1, 0))
		wrong("a full pipe that was resized says that there is room");
	fcntl(ends[1], F_SETFL, 0);
	pid_t pid = fork_or_die();
	if (pid == 0)
		_exit(write(ends[1], block, 5000) == 5000 ? 0 : 1);
	left += 5000;
	while (left > 0 && (n = read(ends[0], block, sizeof(block))) > 0)
		left -= n;
	expect_result("bytes that a pipe that was resized owes", left, 0);
	int status = child_wait(pid);
	if (status)
		wrong("a writer to a pipe that was resized: %s", status_text(status));
	pipe_ends_gone();
}

static void prepare_fifo(void)
{
	if (mkfifo("/tmp/fifo", 0600) < 0)
		die("mkfifo");
	ends[0] = open("/tmp/fifo", O_RDONLY | O_NONBLOCK);
	ends[1] = open("/dev/null", O_WRONLY);
}

static void act_fifo(void)
{
	int fd = open("/tmp/fifo", O_WRONLY);

	close(fd);
}

static void check_fifo(void)
{
	char c;

	expect_result("a FIFO whose writer died", read(ends[0], &c, 1), 0);
	close(ends[0]);
	close(ends[1]);
	expect_result("opening a FIFO without a reader", open("/tmp/fifo", O_WRONLY | O_NONBLOCK), -1);
	unlink("/tmp/fifo");
}

static void act_tee(void)
{
	int fd[2];

	pipe(fd);
	syscall(SYS_tee, ends[0], fd[1], 3000, 0);
	splice(ends[0], NULL, fd[1], NULL, 1000, 0);
}

const struct operation fd_operations[] = {
	{.name = "pipe", .act = act_pipe},
	{"pipe_close", make_pipe, ready_own_pipe, act_pipe_close, pipe_ends_gone, 0},
	{"close", make_pipe, NULL, act_pipe_close, pipe_ends_gone, 0},
	{"close_thread", make_pipe, ready_thread, act_pipe_close, pipe_ends_gone, 0},
	{"close_range", make_pipe, NULL, act_close_range, pipe_ends_gone, 0},
	{"dup", make_pipe, NULL, act_dup, pipe_ends_gone, 0},
	{"dup_thread", make_pipe, ready_thread, act_dup, pipe_ends_gone, 0},
	{"dup_over", make_pipe, NULL, act_dup_over, pipe_ends_gone, 0},
	{"dup_grow", make_pipe, NULL, act_dup_grow, pipe_ends_gone, 0},
	{"unshare_files", prepare_shared, ready_shared, act_unshare, check_shared, 0},
	{"exec_shared_files", prepare_shared, ready_shared, act_exec_shared, check_shared, 0},
	{"exit_shared_files", prepare_shared, ready_shared, act_exit, check_shared, 0},
	{"pipe_write", make_pipe, NULL, act_write, pipe_ends_gone, 0},
	{"pipe_read", fill_pipe, NULL, act_read, pipe_ends_gone, 0},
	{"pipe_packets", make_pipe, NULL, act_packets, check_packets, 0},
	{"pipe_grow", fill_pipe, NULL, act_grow, check_resize, 0},
	{"pipe_shrink", fill_pipe, NULL, act_shrink, check_resize, 0},
	{"pipe_tee", fill_pipe, NULL, act_tee, pipe_ends_gone, 0},
	{"fifo_open", prepare_fifo, NULL, act_fifo, check_fifo, 0},
	{0},
};
