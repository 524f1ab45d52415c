/* SPDX-License-Identifier: ISC */
/*
 * Descriptors through sockets: a pipe, a file with its offset, several at once, too little room,
 * close-on-exec, a socket sent through itself and forgotten, and what is in flight when the sender
 * has long exited.
 * @test timeout=20 members=4
 */
#include "guest.h"
#include <sys/socket.h>

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(8 * sizeof(int))];
};

static ssize_t send_fds(int s, const int *fds, int n)
{
	union control c;
	char byte = 'b';
	struct iovec iov = {&byte, 1};
	struct msghdr m = {.msg_iov = &iov,
					   .msg_iovlen = 1,
					   .msg_control = &c,
					   .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int))};
	struct cmsghdr *h;

	memset(&c, 0, sizeof(c));
	h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	memcpy(CMSG_DATA(h), fds, (size_t)n * sizeof(int));
	return sendmsg(s, &m, 0);
}

/* How many arrived; room for that many. */
static int receive_fds(int s, int *fds, int room, int flags, int *msg_flags)
{
	union control c;
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr m = {.msg_iov = &iov,
					   .msg_iovlen = 1,
					   .msg_control = &c,
					   .msg_controllen = CMSG_LEN((size_t)room * sizeof(int))};

	if (recvmsg(s, &m, flags) != 1)
		return -1;
	*msg_flags = m.msg_flags;
	struct cmsghdr *h = m.msg_controllen ? CMSG_FIRSTHDR(&m) : NULL;
	if (!h || h->cmsg_type != SCM_RIGHTS)
		return 0;
	int n = (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(fds, CMSG_DATA(h), (size_t)n * sizeof(int));
	return n;
}

int main(void)
{
	int pair[2], p[2], got[8], flags, file;
	char text[16] = "";

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || pipe(p) < 0)
		die("socketpair");
	file = open("/tmp/guest_unix_rights", O_RDWR | O_CREAT | O_TRUNC, 0600);
	write(file, "0123456789", 10);
	lseek(file, 4, SEEK_SET);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		int out[3] = {p[1], file, p[0]};
		result("send", send_fds(pair[1], out, 2));
		result("send three", send_fds(pair[1], out, 3));
		out[0] = 999;
		check("bad descriptor", send_fds(pair[1], out, 1) == -1 && errno == EBADF);
		_exit(0);
	}
	close(p[1]);
	close(file);
	child_report("sender", pid);
	say("received %d", receive_fds(pair[0], got, 8, MSG_CMSG_CLOEXEC, &flags));
	say("cut: %d, close-on-exec: %d", (flags & MSG_CTRUNC) != 0,
		fcntl(got[0], F_GETFD) == FD_CLOEXEC);
	result("write to the pipe", write(got[0], "pipe", 4));
	result("read from it", read(p[0], text, sizeof(text)));
	result("offset", lseek(got[1], 0, SEEK_CUR));
	close(got[0]);
	close(got[1]);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	result("still open in flight", read(p[0], text, 1));
	say("room for one: %d", receive_fds(pair[0], got, 1, 0, &flags));
	say("cut: %d", (flags & MSG_CTRUNC) != 0);
	close(got[0]);
	result("now all are closed", read(p[0], text, 1));

	int more[2];
	pipe(more);
	send_fds(pair[1], &more[1], 1);
	close(more[1]);
	fcntl(more[0], F_SETFL, O_NONBLOCK);
	result("in flight", read(more[0], text, 1));
	close(pair[0]);
	close(pair[1]);
	result("thrown away with the socket", read(more[0], text, 1));
	unlink("/tmp/guest_unix_rights");
	return finish();
}
