/* SPDX-License-Identifier: ISC */
/*
 * IPv6 over ::1, and sockets of AF_INET6 that serve IPv4, too: which addresses meet, what both ends
 * are called, IPV6_V6ONLY, datagrams to both, IPV6_RECVPKTINFO.
 * @test timeout=30 members=1
 */
#include "guest_inet.h"

static int any6(const char *what, int type, int only, int port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	int s = socket(AF_INET6, type, 0), r;

	if (s < 0)
		die("socket");
	if (only >= 0)
		done("IPV6_V6ONLY", option_set(s, IPPROTO_IPV6, IPV6_V6ONLY, only));
	r = bind(s, (struct sockaddr *)&a, sizeof(a));
	if (!r && type == SOCK_STREAM)
		r = listen(s, 5);
	done(what, r);
	return s;
}

static int any4(const char *what, int type, int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int s = socket_or_die(type), r = bind(s, (struct sockaddr *)&a, sizeof(a));

	if (!r && type == SOCK_STREAM)
		r = listen(s, 5);
	done(what, r);
	return s;
}

static int dial(const char *to, int family, int port)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	struct sockaddr_in four = loopback(port);
	int s = socket(family, SOCK_STREAM, 0), r;

	inet_pton(AF_INET6, to, &six.sin6_addr);
	r = family == AF_INET ? connect(s, (struct sockaddr *)&four, sizeof(four))
						  : connect(s, (struct sockaddr *)&six, sizeof(six));
	done(to, r);
	return s;
}

static void show_name(const char *what, int s, bool peer)
{
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);
	char name[64];

	if ((peer ? getpeername : getsockname)(s, (struct sockaddr *)&a, &len) < 0)
		die("name");
	say("%s %s, family %d, length %d", what, inet_ntop(AF_INET6, &a.sin6_addr, name, 64),
		a.sin6_family, (int)len);
}

static void meet(const char *to, int family, int l)
{
	int c = dial(to, family, port_of(l)), s = accept(l, NULL, NULL);

	show_name("accepted from", s, true);
	show_name("at", s, false);
	close(c);
	close(s);
}

static void both(void)
{
	int l = any6("any6", SOCK_STREAM, -1, 0);

	meet("127.0.0.1", AF_INET, l);
	meet("::1", AF_INET6, l);
	meet("::ffff:127.0.0.1", AF_INET6, l);
	meet("::", AF_INET6, l);
	close(any4("any4 beside it", SOCK_STREAM, port_of(l)));
	close(any4("any4 of UDP", SOCK_DGRAM, port_of(l)));
	close(l);
}

static void only(void)
{
	int l = any6("only6", SOCK_STREAM, 1, 0), port = port_of(l);

	close(dial("127.0.0.1", AF_INET, port));
	int l4 = any4("any4 beside it", SOCK_STREAM, port);
	close(dial("127.0.0.1", AF_INET, port));
	close(dial("::1", AF_INET6, port));
	close(dial("::ffff:127.0.0.1", AF_INET6, port));
	done("set when bound", option_set(l, IPPROTO_IPV6, IPV6_V6ONLY, 0));
	say("now %d", number_option(l, IPPROTO_IPV6, IPV6_V6ONLY));
	close(l4);
	close(l);
	int s = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in four = loopback(port);
	done("a name of IPv4", connect(s, (struct sockaddr *)&four, sizeof(four)));
	show_name("fresh", s, false);
	close(s);
}

static void show_info(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct in6_pktinfo info;
		char name[64];

		if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		say("by %u, to %s", info.ipi6_ifindex, inet_ntop(AF_INET6, &info.ipi6_addr, name, 64));
	}
}

static void receive(int s)
{
	char text[32], control[256], name[64];
	struct sockaddr_in6 from = {0};
	struct iovec v = {text, sizeof(text)};
	struct msghdr m = {&from, sizeof(from), &v, 1, control, sizeof(control), 0};

	told("received", recvmsg(s, &m, 0));
	say("from %s, length %d", inet_ntop(AF_INET6, &from.sin6_addr, name, 64), (int)m.msg_namelen);
	show_info(&m);
}

static void datagrams(void)
{
	int s = any6("any6", SOCK_DGRAM, -1, 0), c4 = socket_or_die(SOCK_DGRAM);
	int c6 = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port_of(s))};
	struct sockaddr_in four = loopback(port_of(s));

	option_set(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	six.sin6_addr = in6addr_loopback;
	told("six", sendto(c6, "six", 3, 0, (struct sockaddr *)&six, sizeof(six)));
	receive(s);
	four.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 3);
	told("four", sendto(c4, "four", 4, 0, (struct sockaddr *)&four, sizeof(four)));
	receive(s);
	told("four of six", sendto(c6, "again", 5, 0, (struct sockaddr *)&four, sizeof(four)));
	close(s);
	close(c4);
	close(c6);
}

static void options(void)
{
	int s = socket(AF_INET6, SOCK_STREAM, 0), v4 = socket_or_die(SOCK_STREAM);

	say("hops %d", number_option(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS));
	done("hops 300", option_set(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 300));
	done("hops 9", option_set(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9));
	say("hops %d", number_option(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS));
	done("class 16", option_set(s, IPPROTO_IPV6, IPV6_TCLASS, 16));
	say("class %d", number_option(s, IPPROTO_IPV6, IPV6_TCLASS));
	done("of a socket of IPv4", option_set(v4, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	say("and read %d", number_option(v4, IPPROTO_IPV6, IPV6_V6ONLY));
	close(s);
	close(v4);
}

int main(void)
{
	both();
	only();
	datagrams();
	options();
	return finish();
}
