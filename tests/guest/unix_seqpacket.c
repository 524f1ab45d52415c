/* SPDX-License-Identifier: ISC */
/*
 * Seqpacket sockets: connected like a stream, messages like datagrams.
 * @test timeout=20 members=3
 */
#include "guest.h"
#include <sys/socket.h>
#include <sys/un.h>

int main(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/tmp/guest_unix_seqpacket"};
	int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0), pair[2];
	char text[16];

	unlink(name.sun_path);
	okay("bind", bind(listener, (struct sockaddr *)&name, sizeof(name)));
	okay("listen", listen(listener, 5));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		int s = socket(AF_UNIX, SOCK_SEQPACKET, 0);
		bool refused = send(s, "x", 1, 0) == -1 && errno == ENOTCONN;
		int connected = connect(s, (struct sockaddr *)&name, sizeof(name));
		long first = send(s, "one", 3, 0), second = send(s, "twotwo", 6, 0);
		long reply = recv(s, text, sizeof(text), 0);
		/* The server says nothing more before we exit. */
		check("not connected", refused);
		say("client: %d, sent %ld %ld, reply %ld", connected, first, second, reply);
		_exit(0);
	}
	int s = accept(listener, NULL, NULL);
	result("first", recv(s, text, sizeof(text), 0));
	struct iovec iov = {text, 3};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	result("second", recvmsg(s, &m, 0));
	say("truncated: %d", (m.msg_flags & MSG_TRUNC) != 0);
	send(s, "answer", 6, 0);
	child_report("client", pid);
	result("end", recv(s, text, sizeof(text), 0));
	result("broken", send(s, "x", 1, MSG_NOSIGNAL));
	check("wrong type",
		  connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&name, sizeof(name)) == -1 &&
			  errno == EPROTOTYPE);
	okay("pair", socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	result("too long", send(pair[0], calloc(1, 1 << 20), 1 << 20, 0) == -1 ? errno == EMSGSIZE : 0);
	unlink(name.sun_path);
	return finish();
}
