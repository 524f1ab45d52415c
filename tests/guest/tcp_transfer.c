/* SPDX-License-Identifier: ISC */
/*
 * TCP sockets with sendfile, splice, sendmsg of many pieces, sendmmsg, MSG_FASTOPEN, and
 * descriptors of connections that are passed to another process.
 * @test timeout=30 members=2
 */
#include "guest_inet.h"
#include <sys/sendfile.h>
#include <sys/un.h>

#define SIZE 200000

static char block[SIZE], copy[SIZE];

static void from_file(void)
{
	char path[] = "/tmp/guest_tcp_XXXXXX";
	int f = mkstemp(path), p[2], pipe_fd[2];
	off_t at = 0;

	unlink(path);
	if (write(f, block, SIZE) != SIZE)
		die("file");
	tcp_pair(p);
	told("sendfile", sendfile(p[0], f, &at, 100000));
	say("received %zu", read_all(p[1], copy, 100000));
	check("the same", !memcmp(block, copy, 100000));
	if (pipe(pipe_fd) < 0)
		die("pipe");
	write(pipe_fd[1], block, 5000);
	told("from a pipe", splice(pipe_fd[0], NULL, p[0], NULL, 5000, 0));
	settle(p[1], POLLIN);
	told("to a pipe", splice(p[1], NULL, pipe_fd[1], NULL, 5000, 0));
	told("read", read(pipe_fd[0], copy, sizeof(copy)));
	check("the same", !memcmp(block, copy, 5000));
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	told("nothing there", splice(p[1], NULL, pipe_fd[1], NULL, 5000, SPLICE_F_NONBLOCK));
	fcntl(p[1], F_SETFL, 0);
	shutdown(p[0], SHUT_WR);
	told("its end", splice(p[1], NULL, pipe_fd[1], NULL, 5000, 0));
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	close(f);
	close_pair(p);
}

static void pieces(void)
{
	struct iovec v[5];
	struct mmsghdr several[2];
	int p[2];

	tcp_pair(p);
	for (int i = 0; i < 5; i++)
		v[i] = (struct iovec){block + i * 1000, (size_t)i * 500};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 5};
	told("sendmsg", sendmsg(p[0], &m, 0));
	for (int i = 0; i < 2; i++)
		several[i] = (struct mmsghdr){m, 0};
	told("sendmmsg", sendmmsg(p[0], several, 2, 0));
	say("received %zu", read_all(p[1], copy, 15000));
	struct sockaddr_in from = {0};
	struct iovec in = {copy, 10};
	struct msghdr r = {&from, sizeof(from), &in, 1, NULL, 0, 0};
	write(p[0], "xyz", 3);
	told("recvmsg", recvmsg(p[1], &r, 0));
	say("name of %d bytes, flags %#x", (int)r.msg_namelen, r.msg_flags);
	told("error queue", recv(p[1], copy, 10, MSG_ERRQUEUE));
	close_pair(p);
}

static void fast_open(void)
{
	int l = listener(4), s = socket_or_die(SOCK_STREAM);
	struct sockaddr_in a = loopback(port_of(l));

	told("connect and send", sendto(s, "fast", 4, MSG_FASTOPEN, (struct sockaddr *)&a, sizeof(a)));
	int t = accept(l, NULL, NULL);
	told("heard", read(t, copy, 10));
	close(t);
	close(s);
	close(l);
}

/* A worker gets an accepted connection, as servers with one acceptor do. */
static void passed(void)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec v = {"x", 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
					   .msg_controllen = sizeof(control)};
	int through[2], p[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, through) < 0)
		die("socketpair");
	tcp_pair(p);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		close_pair(p);
		v.iov_base = copy;
		if (recvmsg(through[1], &m, 0) != 1)
			die("recvmsg");
		int s;
		memcpy(&s, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(s));
		ssize_t n = read(s, copy, 10);
		write(s, "worker", 6);
		_exit(n == 7 ? 3 : 4);
	}
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &p[1], sizeof(int));
	told("passed", sendmsg(through[0], &m, 0));
	close(p[1]);
	write(p[0], "request", 7);
	told("answer", read(p[0], copy, 10));
	told("its end", read(p[0], copy, 10));
	child_report("worker", pid);
	close(p[0]);
	close_pair(through);
}

int main(void)
{
	for (size_t i = 0; i < SIZE; i++)
		block[i] = (char)(i * 31 + i / 512);
	from_file();
	pieces();
	fast_open();
	passed();
	return finish();
}
