/* SPDX-License-Identifier: ISC */
/*
 * Open files without a name reach programs that were started with posix_spawn and processes that
 * get them over a socket: removed before and after they were passed on, replaced, made with
 * O_TMPFILE, for reading only, several at once; passed on once more.
 * @test timeout=30 members=70
 */
#include "guest.h"
#include <spawn.h>
#include <sys/socket.h>

static const char *self;

static const char *fd_text(int fd)
{
	static char text[64];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? errno_name(errno) : text;
}

static int made(const char *path, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	if (fd < 0)
		die(path);
	write_all(fd, text, strlen(text));
	return fd;
}

static pid_t spawn(const char *what, int fd, int other)
{
	char numbers[2][12];
	char *argv[] = {(char *)self, (char *)what, numbers[0], numbers[1], NULL}, *env[] = {NULL};
	pid_t pid;

	snprintf(numbers[0], sizeof(numbers[0]), "%d", fd);
	snprintf(numbers[1], sizeof(numbers[1]), "%d", other);
	if (posix_spawn(&pid, self, NULL, NULL, argv, env))
		die("posix_spawn");
	return pid;
}

static void send_fd(int to, int fd)
{
	struct iovec iov = {"x", 1};
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} c = {{0}};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.room, .msg_controllen = sizeof(c.room)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	if (sendmsg(to, &msg, 0) != 1)
		die("sendmsg");
}

static int receive_fd(int from)
{
	char byte;
	struct iovec iov = {&byte, 1};
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} c;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.room, .msg_controllen = sizeof(c.room)};
	int fd;

	if (recvmsg(from, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		die("recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* ---- the program that is started */

static void look(int fd)
{
	struct stat st;

	say("  it reads %s, links %ld", fd_text(fd), fstat(fd, &st) ? -1 : (long)st.st_nlink);
	result("  it writes", pwrite(fd, "C", 1, 0));
}

static int started(char **argv)
{
	int fd = atoi(argv[2]), other = atoi(argv[3]);
	char byte;

	if (!strcmp(argv[1], "wait"))
		read(other, &byte, 1);
	if (!strcmp(argv[1], "two"))
		look(other);
	if (!strcmp(argv[1], "receive")) {
		fd = receive_fd(other);
		say("  received");
	}
	look(fd);
	if (!strcmp(argv[1], "receive"))
		send_fd(other, fd);
	if (!strcmp(argv[1], "again"))
		child_report("  another", spawn("look", fd, 0));
	return finish();
}

/* ---- the parent */

static void removed(void)
{
	int fd = made("removed", "removed");

	unlink("removed");
	child_report("removed before", spawn("look", fd, 0));
	say("afterwards %s", fd_text(fd));
	child_report("passed on", spawn("again", fd, 0));
	int replaced = made("replaced", "replaced");
	close(made("new", "new"));
	rename("new", "replaced");
	child_report("two", spawn("two", fd, replaced));
	unlink("replaced");
	close(fd);
	close(replaced);
	fd = made("read", "read only");
	int only = open("read", O_RDONLY);
	unlink("read");
	close(fd);
	child_report("only for reading", spawn("look", only, 0));
	close(only);
}

static void later(bool replace)
{
	int p[2], fd = made("later", "later");

	if (pipe2(p, O_CLOEXEC) || fcntl(p[0], F_SETFD, 0))
		die("pipe");
	pid_t pid = spawn("wait", fd, p[0]);
	if (replace) {
		close(made("new", "new"));
		rename("new", "later");
	}
	unlink("later");
	close(p[1]);
	child_report(replace ? "replaced after" : "removed after", pid);
	say("afterwards %s", fd_text(fd));
	close(p[0]);
	close(fd);
}

static void nameless(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	if (fd < 0)
		die("O_TMPFILE");
	write_all(fd, "nameless", 8);
	child_report("nameless", spawn("look", fd, 0));
	say("afterwards %s", fd_text(fd));
	close(fd);
}

static void sent(void)
{
	int s[2], fd = made("sent", "sent");

	unlink("sent");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) || fcntl(s[1], F_SETFD, 0))
		die("socketpair");
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	pid_t pid = spawn("receive", 0, s[1]);
	send_fd(s[0], fd);
	close(fd);
	fd = receive_fd(s[0]);
	child_report("sent", pid);
	say("back %s", fd_text(fd));
	close(fd);
	close(s[0]);
	close(s[1]);
}

/* Many come and go, most without being used: what nobody has any more makes room for others. */
static void many(void)
{
	static char block[64 * KIB];
	int wrong = 0;

	for (int i = 0; i < 60; i++) {
		int fd = made("many", "many"), status = 0;
		pwrite(fd, block, sizeof(block), 4);
		unlink("many");
		pid_t pid = spawn(i < 45 ? "idle" : "quiet", fd, 0);
		if (waitpid(pid, &status, 0) != pid || status)
			wrong++;
		close(fd);
	}
	say("many: %d wrong", wrong);
}

int main(int argc, char **argv)
{
	static char path[512];

	if (argc > 1 && !strcmp(argv[1], "idle"))
		return 0;
	if (argc > 1 && !strcmp(argv[1], "quiet"))
		return strcmp(fd_text(atoi(argv[2])), "many") != 0;
	if (argc > 1)
		return started(argv);
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n < 0)
		die("readlink");
	path[n] = '\0';
	self = path;
	work_dir();
	removed();
	later(false);
	later(true);
	nameless();
	sent();
	many();
	chdir("/");
	return finish();
}
