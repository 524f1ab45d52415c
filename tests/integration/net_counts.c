/* SPDX-License-Identifier: ISC */
/*
 * For the tests of the network: what /proc/net/snmp and sockstat count of connections and datagrams
 * on a loopback that nobody else uses. Compared with Linux in a network namespace of the test's.
 * @test timeout=20 members=1
 */
#include "guest_inet.h"

/* The number of that name in the two lines of a protocol. */
static long count(const char *protocol, const char *name)
{
	char names[2000], values[2000], *n, *v, *more_n, *more_v;
	FILE *f = fopen("/proc/net/snmp", "r");
	long found = -1;

	if (!f)
		die("/proc/net/snmp");
	while (fgets(names, sizeof(names), f) && fgets(values, sizeof(values), f)) {
		if (strncmp(names, protocol, strlen(protocol)) || names[strlen(protocol)] != ':')
			continue;
		n = strtok_r(names, " \n", &more_n);
		v = strtok_r(values, " \n", &more_v);
		for (; n && v; n = strtok_r(NULL, " \n", &more_n), v = strtok_r(NULL, " \n", &more_v))
			if (!strcmp(n, name))
				found = atol(v);
	}
	fclose(f);
	return found;
}

static void counts(const char *when)
{
	static const char *const tcp[] = {"ActiveOpens", "PassiveOpens", "AttemptFails", "EstabResets",
									  "CurrEstab", "MaxConn", "RtoMax"};
	static const char *const udp[] = {"InDatagrams", "NoPorts", "InErrors", "OutDatagrams",
									  "RcvbufErrors"};

	for (size_t i = 0; i < sizeof(tcp) / sizeof(tcp[0]); i++)
		say("%s: %s %ld", when, tcp[i], count("Tcp", tcp[i]));
	for (size_t i = 0; i < sizeof(udp) / sizeof(udp[0]); i++)
		say("%s: %s %ld", when, udp[i], count("Udp", udp[i]));
	say("%s: Forwarding %ld", when, count("Ip", "Forwarding"));
	say("%s: InEchos %ld", when, count("Icmp", "InEchos"));
}

static void connections(void)
{
	int l = listener(5), s = socket_or_die(SOCK_STREAM), c, refused = socket_or_die(SOCK_STREAM);
	int port = port_of(l);

	if (connect_loopback(s, port) < 0 || (c = accept(l, NULL, NULL)) < 0)
		die("connect");
	counts("connected");
	/* closed with unread data: a reset */
	if (write(s, "data", 4) != 4)
		die("write");
	ready("data", c, 1000);
	close(c);
	ready("reset", s, 1000);
	counts("reset");
	close(s);
	s = socket_or_die(SOCK_STREAM);
	if (connect_loopback(s, port) < 0 || (c = accept(l, NULL, NULL)) < 0)
		die("connect");
	close(c);
	ready("end", s, 1000);
	counts("half closed");
	close(s);
	close(l);
	told("refused", connect_loopback(refused, port));
	counts("refused");
	close(refused);
}

static void datagrams(void)
{
	int a = socket_or_die(SOCK_DGRAM), b = socket_or_die(SOCK_DGRAM), port;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char text[10];

	bind_loopback(a, 0);
	port = port_of(a);
	to.sin_port = htons((uint16_t)port);
	for (int i = 0; i < 3; i++)
		sendto(b, "text", 4, 0, (struct sockaddr *)&to, sizeof(to));
	check("a look", recv(a, text, sizeof(text), MSG_PEEK) == 4);
	counts("sent");
	check("received", recv(a, text, sizeof(text), 0) == 4);
	close(a);
	sendto(b, "text", 4, 0, (struct sockaddr *)&to, sizeof(to));
	counts("nobody");
	close(b);
}

int main(void)
{
	counts("before");
	connections();
	datagrams();
	return finish();
}
