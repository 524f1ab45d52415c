/* SPDX-License-Identifier: ISC */
/*
 * What programs ask about the network: interfaces by ioctl and netlink, addresses, /proc/net and
 * /proc/sys/net, as far as it is about the loopback interface; sockets that nobody gets.
 * @test timeout=20 members=1
 */
#include "guest_inet.h"
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>

static void by_ioctl(int family)
{
	int s = socket(family, SOCK_DGRAM, 0);
	struct ifreq r = {.ifr_name = "lo"};

	if (s < 0)
		die("socket");
	done("address", ioctl(s, SIOCGIFADDR, &r));
	say("%s", inet_ntoa(((struct sockaddr_in *)&r.ifr_addr)->sin_addr));
	done("mask", ioctl(s, SIOCGIFNETMASK, &r));
	say("%s", inet_ntoa(((struct sockaddr_in *)&r.ifr_addr)->sin_addr));
	done("flags", ioctl(s, SIOCGIFFLAGS, &r));
	say("%#x", r.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_BROADCAST));
	done("mtu", ioctl(s, SIOCGIFMTU, &r));
	say("%d", r.ifr_mtu);
	done("index", ioctl(s, SIOCGIFINDEX, &r));
	say("%d", r.ifr_ifindex);
	done("name", ioctl(s, SIOCGIFNAME, &r));
	say("%s", r.ifr_name);
	done("hardware", ioctl(s, SIOCGIFHWADDR, &r));
	say("%d", r.ifr_hwaddr.sa_family);
	strcpy(r.ifr_name, "none0");
	done("none", ioctl(s, SIOCGIFFLAGS, &r));
	close(s);
}

static void by_list(void)
{
	struct ifreq room[8];
	struct ifconf list = {.ifc_len = sizeof(room), .ifc_req = room};
	int s = socket_or_die(SOCK_DGRAM), found = 0;

	done("list", ioctl(s, SIOCGIFCONF, &list));
	for (int i = 0; i < list.ifc_len / (int)sizeof(room[0]); i++)
		found += !strcmp(room[i].ifr_name, "lo");
	say("lo: %d", found);
	close(s);
	say("index %u", if_nametoindex("lo"));
	char name[IF_NAMESIZE] = "";
	say("name %s", if_indextoname(1, name));
}

static void by_netlink(void)
{
	struct ifaddrs *all, *a;
	char text[64];

	if (getifaddrs(&all) < 0)
		die("getifaddrs");
	for (a = all; a; a = a->ifa_next) {
		if (strcmp(a->ifa_name, "lo") || !a->ifa_addr)
			continue;
		int family = a->ifa_addr->sa_family;
		if (family == AF_INET)
			inet_ntop(family, &((struct sockaddr_in *)a->ifa_addr)->sin_addr, text, 64);
		else if (family == AF_INET6)
			inet_ntop(family, &((struct sockaddr_in6 *)a->ifa_addr)->sin6_addr, text, 64);
		else
			strcpy(text, "hardware");
		say("lo: family %d, %s, flags %#x", family, text,
			a->ifa_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING));
	}
	freeifaddrs(all);
}

static void raw_netlink(void)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK};
	socklen_t len = sizeof(a);
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} ask = {{sizeof(ask), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 7, 0}, {AF_UNSPEC}};
	static char answer[32768];
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	done("bind", bind(s, (struct sockaddr *)&a, sizeof(a)));
	getsockname(s, (struct sockaddr *)&a, &len);
	check("it has a name", a.nl_pid && a.nl_family == AF_NETLINK && len == sizeof(a));
	ready("idle", s, 0);
	told("ask", send(s, &ask, sizeof(ask), 0));
	ready("answered", s, 1000);
	ssize_t n = recv(s, answer, sizeof(answer), MSG_PEEK | MSG_TRUNC);
	check("a look takes nothing", n > 0 && recv(s, answer, sizeof(answer), 0) == n);
	struct nlmsghdr *h = (struct nlmsghdr *)answer;
	say("type %d, sequence %u, flags %#x", h->nlmsg_type, h->nlmsg_seq,
		h->nlmsg_flags & NLM_F_MULTI);
	while (recv(s, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
	told("nothing more", recv(s, answer, 1, MSG_DONTWAIT));
	ask.h.nlmsg_type = 250;
	send(s, &ask, sizeof(ask), 0);
	recv(s, answer, sizeof(answer), 0);
	say("type %d, %s", h->nlmsg_type, net_error(-((struct nlmsgerr *)NLMSG_DATA(h))->error));
	close(s);
}

/* The line of a file that begins with a word: that many words of it. */
static void line_of(const char *path, const char *word, int words)
{
	char line[300], *at, *save;
	FILE *f = fopen(path, "r");

	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f)) {
		at = line + strspn(line, " ");
		if (strncmp(at, word, strlen(word)))
			continue;
		char out[300] = "";
		for (char *w = strtok_r(at, " \n", &save); w && words--; w = strtok_r(NULL, " \n", &save)) {
			strcat(out, w);
			strcat(out, " ");
		}
		say("%s: %s", path, out);
		break;
	}
	fclose(f);
}

/* Of our own socket: from its state to its inode. */
static void own_line(const char *path, int s, const char *format)
{
	char line[300], want[64];
	struct stat st;
	FILE *f = fopen(path, "r");
	bool found = false;

	fstat(s, &st);
	snprintf(want, sizeof(want), format, port_of(s));
	while (f && fgets(line, sizeof(line), f)) {
		char *at = strstr(line, want);
		unsigned state, inode;
		if (!at || !strchr(line, ':'))
			continue;
		found = sscanf(at + strlen(want), "%*s %x %*s %*s %*s %*u %*d %u", &state, &inode) == 2;
		say("%s: state %u", path, state);
		if (!strchr(path, '6'))
			say("length %zu", strlen(line));
		check("its inode", inode == st.st_ino);
		break;
	}
	if (f)
		fclose(f);
	check(path, found);
}

static void by_files(void)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	int l = listener(3), u = socket_or_die(SOCK_DGRAM), six = socket(AF_INET6, SOCK_STREAM, 0);

	bind_loopback(u, 0);
	bind(six, (struct sockaddr *)&any, sizeof(any));
	listen(six, 1);
	own_line("/proc/net/tcp", l, "0100007F:%04X");
	own_line("/proc/net/udp", u, "0100007F:%04X");
	own_line("/proc/net/tcp6", six, "00000000000000000000000000000000:%04X");
	line_of("/proc/net/if_inet6", "00000000000000000000000000000001", 6);
	line_of("/proc/net/dev", "lo:", 1);
	line_of("/proc/net/route", "Iface", 4);
	line_of("/proc/net/sockstat", "TCP:", 2 - 1);
	line_of("/proc/sys/net/core/somaxconn", "4", 1);
	line_of("/proc/sys/net/ipv4/ip_local_port_range", "3", 2);
	line_of("/proc/sys/net/ipv4/tcp_fin_timeout", "6", 1);
	close(l);
	close(u);
	close(six);
}

int main(void)
{
	by_ioctl(AF_INET);
	by_ioctl(AF_UNIX);
	by_list();
	by_netlink();
	raw_netlink();
	by_files();
	return finish();
}
