/* SPDX-License-Identifier: ISC */
/*
 * Datagrams: boundaries, sender's name, connected and not, truncation, a receiver that goes away, a
 * full queue, sendmmsg and recvmmsg.
 * @test timeout=20 members=4
 */
#include "guest.h"
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un name = {AF_UNIX, "/tmp/guest_unix_dgram"};
static struct sockaddr_un mine = {AF_UNIX, "/tmp/guest_unix_dgram2"};

static void many(int s, int t)
{
	struct iovec iov[4];
	struct mmsghdr m[4];
	char text[4][8];

	memset(m, 0, sizeof(m));
	for (int i = 0; i < 4; i++) {
		snprintf(text[i], sizeof(text[i]), "m%d", i);
		iov[i] = (struct iovec){text[i], 3};
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	result("sendmmsg", sendmmsg(t, m, 4, 0));
	memset(text, 0, sizeof(text));
	result("recvmmsg", recvmmsg(s, m, 4, MSG_WAITFORONE, NULL));
	say("%s %s %s %s, %u bytes", text[0], text[1], text[2], text[3], m[3].msg_len);
}

int main(void)
{
	int s = socket(AF_UNIX, SOCK_DGRAM, 0), n = 0;
	struct sockaddr_un from;
	socklen_t len = sizeof(from);
	char text[64];

	unlink(name.sun_path);
	unlink(mine.sun_path);
	okay("bind", bind(s, (struct sockaddr *)&name, sizeof(name)));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		int t = socket(AF_UNIX, SOCK_DGRAM, 0);
		check("not connected", send(t, "x", 1, 0) == -1 && errno == ENOTCONN);
		bind(t, (struct sockaddr *)&mine, sizeof(mine));
		result("sendto", sendto(t, "one", 3, 0, (struct sockaddr *)&name, sizeof(name)));
		okay("connect", connect(t, (struct sockaddr *)&name, sizeof(name)));
		result("send", send(t, "second", 6, 0));
		result("empty", send(t, "", 0, 0));
		result("long", send(t, "a longer message", 16, 0));
		_exit(0);
	}
	child_report("sender", pid);
	result("first", recvfrom(s, text, sizeof(text), 0, (struct sockaddr *)&from, &len));
	say("%.3s from %s, %d bytes", text, from.sun_path, (int)len);
	result("second", recv(s, text, sizeof(text), 0));
	result("empty", recv(s, text, sizeof(text), 0));
	result("truncated", recv(s, text, 4, MSG_TRUNC));
	result("no more", recv(s, text, 4, MSG_DONTWAIT));

	int t = socket(AF_UNIX, SOCK_DGRAM, 0);
	okay("connect", connect(t, (struct sockaddr *)&name, sizeof(name)));
	many(s, t);
	while (send(t, "fill", 4, MSG_DONTWAIT) == 4)
		n++;
	say("queue holds %d, then %s", n, errno_name(errno));
	close(s);
	check("refused", send(t, "x", 1, 0) == -1 && errno == ECONNREFUSED);
	check("then not connected", send(t, "x", 1, 0) == -1 && errno == ENOTCONN);
	check("nobody there", sendto(t, "x", 1, 0, (struct sockaddr *)&name, sizeof(name)) == -1 &&
							  errno == ECONNREFUSED);
	unlink(name.sun_path);
	unlink(mine.sun_path);
	check("no such name",
		  sendto(t, "x", 1, 0, (struct sockaddr *)&name, sizeof(name)) == -1 && errno == ENOENT);
	return finish();
}
