/* SPDX-License-Identifier: ISC */
/* Deaths in AF_UNIX sockets, and with descriptors on their way through them. */
#include "operations.h"

#include <sys/socket.h>
#include <sys/un.h>

static int pair[2], passed[2], listener, client;
static const struct sockaddr_un path_name = {AF_UNIX, FOLDER "/socket"};
static const struct sockaddr_un abstract_name = {AF_UNIX, "\0deaths"};
#define ABSTRACT_LENGTH (sizeof(sa_family_t) + 7)

static void make_pair(void)
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		die("socketpair");
}

static void check_pair(void)
{
	see_pair_end(pair);
}

static void check_receive(void)
{
	see_drained(pair[1]);
	see_pair_end(pair);
}

/* Urgent bytes on their way to PID 1, and one that the victim takes. */
static void act_urgent(void)
{
	char c;

	send(pair[1], "abc", 3, MSG_OOB);
	send(pair[0], "x", 1, MSG_OOB);
	recv(pair[1], &c, 1, MSG_OOB | MSG_DONTWAIT);
	send(pair[1], "d", 1, MSG_OOB);
}

/* What is urgent is one byte, if it has come; then the rest and the end. */
static void check_urgent(void)
{
	char c;

	if (recv(pair[0], &c, 1, MSG_OOB | MSG_DONTWAIT) == 1 && c != 'c' && c != 'd')
		wrong("an urgent byte that nobody sent: %c", c);
	check_pair();
}

static void act_socketpair(void)
{
	int fd[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
}

static void act_socketpair_close(void)
{
	int fd[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
	write(fd[0], "abc", 3);
	close(fd[0]);
	close(fd[1]);
}

static void act_dgram_pair(void)
{
	int fd[2];

	socketpair(AF_UNIX, SOCK_DGRAM, 0, fd);
	write(fd[0], "abc", 3);
	close(fd[0]);
	write(fd[1], "abc", 3);
}

static void act_listen(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	bind(fd, (const struct sockaddr *)&path_name, sizeof(path_name));
	listen(fd, 5);
	close(fd);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	bind(fd, (const struct sockaddr *)&abstract_name, ABSTRACT_LENGTH);
}

/* The names of the dead are free again. */
static void check_listen(void)
{
	unlink(path_name.sun_path);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (bind(fd, (const struct sockaddr *)&abstract_name, ABSTRACT_LENGTH) < 0)
		wrong("an abstract name of the dead: %s", errno_name(errno));
	close(fd);
}

static void make_listener(void)
{
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (const struct sockaddr *)&path_name, sizeof(path_name)) < 0 ||
		listen(listener, 5) < 0)
		die("listen");
	fcntl(listener, F_SETFL, O_NONBLOCK);
}

static void close_listener(void)
{
	close(listener);
	unlink(path_name.sun_path);
}

static int connect_one(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (connect(fd, (const struct sockaddr *)&path_name, sizeof(path_name)) < 0)
		return -1;
	return fd;
}

static void act_connect(void)
{
	write(connect_one(), "abc", 3);
}

static void check_connect(void)
{
	int fd = accept(listener, NULL, NULL);

	if (fd >= 0)
		see_end(fd);
	/* Nobody of the dead is left in the list. */
	if (accept(listener, NULL, NULL) >= 0 || errno != EAGAIN)
		wrong("a dead member connected twice: %s", errno_name(errno));
	fd = connect_one();
	int end = accept(listener, NULL, NULL);
	if (fd < 0 || end < 0)
		wrong("connecting and accepting: %s", errno_name(errno));
	close(end);
	close(fd);
	close_listener();
}

static void prepare_accept(void)
{
	make_listener();
	client = connect_one();
}

static void act_accept(void)
{
	close(accept(listener, NULL, NULL));
}

static void check_accept(void)
{
	/* Either the dead had it and its end is seen, or it waits still. */
	int fd = accept(listener, NULL, NULL);

	close(fd);
	see_end(client);
	close_listener();
}

static void act_close_listener(void)
{
	close(listener);
}

static void drop_listener(void)
{
	close(listener);
}

static void own_listener(void)
{
	make_listener();
	client = connect_one();
	write(client, "abc", 3);
}

static void drop_socket_name(void)
{
	unlink(path_name.sun_path);
}

static char block[30000];

static void act_send(void)
{
	write(pair[1], block, 5000);
}

static void send_some(void)
{
	make_pair();
	write(pair[0], block, 3000);
	write(pair[0], block, 3000);
}

static void act_receive(void)
{
	read(pair[1], block, 5000);
	read(pair[1], block, 5000);
}

static void act_shutdown(void)
{
	shutdown(pair[1], SHUT_RDWR);
}

/* ---- descriptors on their way */

static void send_descriptors(int through, const int *fds, int n)
{
	char control[CMSG_SPACE(sizeof(int) * 4)];
	struct iovec data = {"x", 1};
	struct msghdr m = {.msg_iov = &data,
					   .msg_iovlen = 1,
					   .msg_control = control,
					   .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)n);
	sendmsg(through, &m, 0);
}

static void receive_descriptors(int from)
{
	char control[CMSG_SPACE(sizeof(int) * 4)], byte;
	struct iovec data = {&byte, 1};
	struct msghdr m = {.msg_iov = &data,
					   .msg_iovlen = 1,
					   .msg_control = control,
					   .msg_controllen = sizeof(control)};

	recvmsg(from, &m, 0);
}

static void make_passed(void)
{
	make_pair();
	if (pipe(passed) < 0)
		die("pipe");
}

static void act_scm_send(void)
{
	send_descriptors(pair[1], passed, 2);
}

/* Once the sockets are gone, nobody is left who writes to the pipe. */
static void check_passed(void)
{
	char c;

	close(passed[1]);
	close(pair[0]);
	close(pair[1]);
	if (!ready_soon(passed[0], POLLIN) || read(passed[0], &c, 1) != 0)
		wrong("a pipe that was passed sees no end");
	close(passed[0]);
}

static void prepare_scm_receive(void)
{
	make_passed();
	send_descriptors(pair[0], passed, 2);
}

static void act_scm_receive(void)
{
	receive_descriptors(pair[1]);
}

/* The victim has the last reference to the sockets, with descriptors in flight in them. */
static void ready_scm_close(void)
{
	int outer[2];

	make_pair();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, outer) < 0)
		die("socketpair");
	send_descriptors(pair[0], passed, 2);
	send_descriptors(outer[0], pair, 2);
	close(pair[0]);
	close(pair[1]);
	pair[0] = outer[0];
	pair[1] = outer[1];
}

static void act_scm_close(void)
{
	close(pair[0]);
	close(pair[1]);
}

static void act_dgram_send(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	sendto(fd, "hello", 5, 0, (const struct sockaddr *)&abstract_name, ABSTRACT_LENGTH);
	connect(fd, (const struct sockaddr *)&abstract_name, ABSTRACT_LENGTH);
	write(fd, "more", 4);
}

static void make_dgram(void)
{
	listener = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (bind(listener, (const struct sockaddr *)&abstract_name, ABSTRACT_LENGTH) < 0)
		die("bind");
}

static void check_dgram(void)
{
	char c[10];
	ssize_t n;

	while ((n = recv(listener, c, sizeof(c), MSG_DONTWAIT)) > 0)
		if (n != 5 && n != 4)
			wrong("a datagram of %zd bytes", n);
	close(listener);
}

static void act_seqpacket(void)
{
	int fd[2];
	char c[10];

	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd);
	write(fd[0], "abc", 3);
	read(fd[1], c, sizeof(c));
	write(fd[1], "abc", 3);
}

const struct operation socket_operations[] = {
	{"socketpair", NULL, NULL, act_socketpair, NULL, 0},
	{"socketpair_close", NULL, NULL, act_socketpair_close, NULL, 0},
	{"socket_dgram_pair", NULL, NULL, act_dgram_pair, NULL, 0},
	{"socket_seqpacket", NULL, NULL, act_seqpacket, NULL, 0},
	{"socket_listen", NULL, NULL, act_listen, check_listen, 0},
	{"socket_connect", make_listener, NULL, act_connect, check_connect, 0},
	{"socket_accept", prepare_accept, NULL, act_accept, check_accept, 0},
	{"socket_close_listener", NULL, own_listener, act_close_listener, drop_socket_name, 0},
	{"socket_close_shared", make_listener, NULL, drop_listener, close_listener, 0},
	{"socket_send", make_pair, NULL, act_send, check_pair, 0},
	{"socket_receive", send_some, NULL, act_receive, check_receive, 0},
	{"socket_urgent", make_pair, NULL, act_urgent, check_urgent, 0},
	{"socket_shutdown", make_pair, NULL, act_shutdown, check_pair, 0},
	{"socket_dgram_send", make_dgram, NULL, act_dgram_send, check_dgram, 0},
	{"scm_send", make_passed, NULL, act_scm_send, check_passed, 0},
	{"scm_receive", prepare_scm_receive, NULL, act_scm_receive, check_passed, 0},
	{"scm_close", make_passed, ready_scm_close, act_scm_close, check_passed, 0},
	{0},
};
