/* SPDX-License-Identifier: ISC */
/*
 * Who is at the other end: SO_PEERCRED of pairs and connections, SO_PASSCRED, credentials that are
 * not one's own.
 * @test timeout=20 members=3
 */
#include "guest.h"
#include <sys/socket.h>
#include <sys/un.h>

static void receive_cred(int s, pid_t expected)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} c;
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)};
	struct ucred cred;

	result("receive", recvmsg(s, &m, 0));
	say("the client saw the server's pid: %c", byte);
	struct cmsghdr *h = m.msg_controllen ? CMSG_FIRSTHDR(&m) : NULL;
	if (!h || h->cmsg_type != SCM_CREDENTIALS) {
		say("no credentials");
		return;
	}
	memcpy(&cred, CMSG_DATA(h), sizeof(cred));
	say("pid right: %d, uid right: %d", cred.pid == expected, cred.uid == getuid());
}

int main(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int pair[2], on = 1, listener = socket(AF_UNIX, SOCK_STREAM, 0);
	struct ucred cred;
	socklen_t len = sizeof(cred);

	memcpy(name.sun_path, "\0guest_unix_creds", 17);
	okay("bind", bind(listener, (struct sockaddr *)&name, 2 + 17));
	okay("listen", listen(listener, 3));
	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	okay("peer of a pair", getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &cred, &len));
	check("own pid", cred.pid == getpid());
	okay("passcred", setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		int s = socket(AF_UNIX, SOCK_STREAM, 0);
		connect(s, (struct sockaddr *)&name, 2 + 17);
		getsockopt(s, SOL_SOCKET, SO_PEERCRED, &cred, &len);
		send(pair[1], cred.pid == getppid() ? "y" : "n", 1, 0);
		pause();
	}
	int s = accept(listener, NULL, NULL);
	getsockopt(s, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	check("the client's pid", cred.pid == pid);
	receive_cred(pair[0], pid);
	kill(pid, SIGTERM);
	child_report("client", pid);
	getsockopt(listener, SOL_SOCKET, SO_PASSCRED, &on, &len);
	say("SO_PASSCRED of the listener: %d", on);
	return finish();
}
