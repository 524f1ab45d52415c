/* SPDX-License-Identifier: ISC */
/*
 * UDP: datagrams between processes, connected and not, nobody at the port, truncation, several at
 * once, who sent it and where to (IP_PKTINFO and others), shutdown, what does not fit is lost.
 * @test timeout=30 members=3 nosvm
 */
#include "guest_inet.h"

static char text[128];

static int bound(int port)
{
	int s = socket_or_die(SOCK_DGRAM);

	if (bind_loopback(s, port) < 0)
		die("bind");
	return s;
}

static ssize_t send_to(int s, int port, const char *what)
{
	struct sockaddr_in a = loopback(port);

	return sendto(s, what, strlen(what), 0, (struct sockaddr *)&a, sizeof(a));
}

static void questions(void)
{
	int s = bound(0), port = port_of(s);
	pid_t pid = fork_or_die();

	if (pid == 0) {
		int c = socket_or_die(SOCK_DGRAM);
		send_to(c, port, "question");
		ssize_t n = recv(c, text, sizeof(text), 0);
		_exit(n == 6 && !memcmp(text, "answer", 6) ? 3 : 4);
	}
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	told("received", recvfrom(s, text, sizeof(text), 0, (struct sockaddr *)&from, &len));
	say("from %s, length %d", inet_ntoa(from.sin_addr), (int)len);
	told("answered", sendto(s, "answer", 6, 0, (struct sockaddr *)&from, len));
	child_report("client", pid);
	close(s);
}

static void connected(void)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	int s = bound(0), other = bound(0), c = socket_or_die(SOCK_DGRAM);
	int port = port_of(s);

	told("no address", send(c, "x", 1, 0));
	done("connect", connect_loopback(c, port));
	told("send", send(c, "one", 3, 0));
	told("heard", recv(s, text, sizeof(text), 0));
	send_to(other, port_of(c), "from elsewhere");
	send_to(s, port_of(c), "from the peer");
	told("hears its peer only", recv(c, text, sizeof(text), 0));
	told("nothing else", recv(c, text, sizeof(text), MSG_DONTWAIT));
	told("elsewhere all the same", send_to(c, port_of(other), "far"));
	told("heard", recv(other, text, sizeof(text), 0));
	close(s);
	told("nobody there", send(c, "x", 1, 0));
	settle(c, POLLERR);
	ready("told", c, 0);
	told("the next send", send(c, "x", 1, 0));
	told("the next read", recv(c, text, 1, MSG_DONTWAIT));
	told("and the next", recv(c, text, 1, MSG_DONTWAIT));
	done("disconnect", connect(c, &none, sizeof(none)));
	told("no address", send(c, "x", 1, 0));
	close(c);
	close(other);
}

static void shut(void)
{
	int s = bound(0), c = socket_or_die(SOCK_DGRAM);

	done("unconnected", shutdown(c, SHUT_RDWR));
	ready("shut", c, 0);
	close(c);
	c = socket_or_die(SOCK_DGRAM);
	connect_loopback(c, port_of(s));
	done("read", shutdown(c, SHUT_RD));
	told("read", recv(c, text, 1, 0));
	told("write", send(c, "x", 1, 0));
	done("write", shutdown(c, SHUT_WR));
	told("write", send(c, "x", 1, MSG_NOSIGNAL));
	close(c);
	close(s);
}

static void sizes(void)
{
	static char big[66000];
	int s = bound(0), c = socket_or_die(SOCK_DGRAM), n = -1;

	connect_loopback(c, port_of(s));
	told("too long", send(c, big, 65508, 0));
	told("longest", send(c, big, 65507, 0));
	told("empty", send(c, big, 0, 0));
	told("small", send(c, "0123456789", 10, 0));
	ioctl(s, FIONREAD, &n);
	say("first: %d", n);
	told("longest", recv(s, big, sizeof(big), 0));
	told("empty", recv(s, text, 4, 0));
	struct iovec v = {text, 4};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	told("peek", recvmsg(s, &m, MSG_PEEK | MSG_TRUNC));
	say("flags %#x", m.msg_flags);
	told("part", recvmsg(s, &m, 0));
	say("flags %#x", m.msg_flags);
	told("the rest is gone", recv(s, text, 4, MSG_DONTWAIT));
	option_set(s, SOL_SOCKET, SO_RCVBUF, 2000);
	int sent = 0;
	for (int i = 0; i < 1000; i++)
		sent += send(c, big, 1000, 0) == 1000;
	say("sent: %d", sent);
	int got = 0;
	while (recv(s, big, sizeof(big), MSG_DONTWAIT) == 1000)
		got++;
	check("some were lost", got > 0 && got < 100);
	close(c);
	close(s);
}

static void several(void)
{
	int s = bound(0), c = socket_or_die(SOCK_DGRAM);
	struct iovec out[3] = {{"a", 1}, {"bb", 2}, {"ccc", 3}}, in[4];
	struct mmsghdr to[3] = {0}, from[4] = {0};

	connect_loopback(c, port_of(s));
	for (int i = 0; i < 3; i++)
		to[i].msg_hdr = (struct msghdr){.msg_iov = &out[i], .msg_iovlen = 1};
	for (int i = 0; i < 4; i++) {
		in[i] = (struct iovec){text + 8 * i, 8};
		from[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
	}
	told("sendmmsg", sendmmsg(c, to, 3, 0));
	told("recvmmsg", recvmmsg(s, from, 4, MSG_WAITFORONE, NULL));
	say("lengths %u %u %u", from[0].msg_len, from[1].msg_len, from[2].msg_len);
	told("none", recvmmsg(s, from, 4, MSG_DONTWAIT, NULL));
	close(c);
	close(s);
}

static void show_control(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct in_pktinfo info;

		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			say("by %d, to %s", info.ipi_ifindex, inet_ntoa(info.ipi_addr));
		} else {
			say("level %d, type %d, value %d", c->cmsg_level, c->cmsg_type,
				c->cmsg_level == IPPROTO_IP ? *(unsigned char *)CMSG_DATA(c) : 0);
		}
	}
}

static void control(void)
{
	char buffer[256];
	struct iovec v = {text, sizeof(text)};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	struct sockaddr_in any = {.sin_family = AF_INET}, to;
	int s = socket_or_die(SOCK_DGRAM), c = socket_or_die(SOCK_DGRAM);

	bind(s, (struct sockaddr *)&any, sizeof(any));
	option_set(s, IPPROTO_IP, IP_PKTINFO, 1);
	option_set(s, IPPROTO_IP, IP_RECVTTL, 1);
	option_set(s, IPPROTO_IP, IP_RECVTOS, 1);
	option_set(s, SOL_SOCKET, SO_TIMESTAMP, 1);
	option_set(c, IPPROTO_IP, IP_TTL, 9);
	option_set(c, IPPROTO_IP, IP_TOS, 8);
	to = loopback(port_of(s));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 4);
	sendto(c, "with", 4, 0, (struct sockaddr *)&to, sizeof(to));
	m.msg_control = buffer;
	m.msg_controllen = sizeof(buffer);
	told("with control", recvmsg(s, &m, 0));
	show_control(&m);
	sendto(c, "short", 5, 0, (struct sockaddr *)&to, sizeof(to));
	m.msg_controllen = 20;
	told("no room", recvmsg(s, &m, 0));
	say("flags %#x", m.msg_flags);
	close(c);
	close(s);
}

static void wrong_calls(void)
{
	int s = bound(0), c = socket_or_die(SOCK_DGRAM);
	struct sockaddr_in a = loopback(0);

	told("port 0", sendto(c, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)));
	a = loopback(9);
	told("short address", sendto(c, "x", 1, 0, (struct sockaddr *)&a, 8));
	a.sin_addr.s_addr = INADDR_BROADCAST;
	told("to all without leave", sendto(c, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)));
	done("the same port", bind_loopback(c, port_of(s)));
	told("out of band", send(s, "x", 1, MSG_OOB));
	option_set(c, SOL_SOCKET, SO_REUSEADDR, 1);
	done("only one wants to share", bind_loopback(c, port_of(s)));
	option_set(s, SOL_SOCKET, SO_REUSEADDR, 1);
	done("both", bind_loopback(c, port_of(s)));
	close(c);
	close(s);
}

int main(void)
{
	questions();
	connected();
	shut();
	sizes();
	several();
	control();
	wrong_calls();
	return finish();
}
