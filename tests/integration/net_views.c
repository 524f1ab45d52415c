/* SPDX-License-Identifier: ISC */
/*
 * For the tests of the network: all that a program can ask about the interfaces of its network
 * namespace by ioctl and by the C library. Compared with Linux's own answers.
 * @test timeout=20 members=1
 */
#include "guest_inet.h"
#include <ifaddrs.h>
#include <linux/sockios.h>
#include <net/if.h>

static const char *address_text(const struct sockaddr *a)
{
	static char text[INET6_ADDRSTRLEN];
	const void *bytes = a && a->sa_family == AF_INET
							? (const void *)&((const struct sockaddr_in *)a)->sin_addr
							: &((const struct sockaddr_in6 *)a)->sin6_addr;

	if (!a || (a->sa_family != AF_INET && a->sa_family != AF_INET6))
		return "-";
	return inet_ntop(a->sa_family, bytes, text, sizeof(text));
}

static void address_of(int s, const char *name, const char *what, unsigned long request)
{
	struct ifreq r = {0};

	strcpy(r.ifr_name, name);
	if (ioctl(s, request, &r) < 0)
		say("%s %s: %s", name, what, net_error(errno));
	else
		say("%s %s: %s", name, what, address_text(&r.ifr_addr));
}

static void addresses_of(int s, const char *name)
{
	address_of(s, name, "address", SIOCGIFADDR);
	address_of(s, name, "mask", SIOCGIFNETMASK);
	address_of(s, name, "broadcast", SIOCGIFBRDADDR);
	address_of(s, name, "peer", SIOCGIFDSTADDR);
}

static void link_of(int s, const char *name)
{
	struct ifreq r = {0};

	strcpy(r.ifr_name, name);
	told("flags", ioctl(s, SIOCGIFFLAGS, &r));
	say("%s flags %#x", name, (unsigned short)r.ifr_flags);
	told("mtu", ioctl(s, SIOCGIFMTU, &r));
	say("%s mtu %d", name, r.ifr_mtu);
	told("queue", ioctl(s, SIOCGIFTXQLEN, &r));
	say("%s queue %d", name, r.ifr_qlen);
	told("metric", ioctl(s, SIOCGIFMETRIC, &r));
	told("hardware", ioctl(s, SIOCGIFHWADDR, &r));
	unsigned char *h = (unsigned char *)r.ifr_hwaddr.sa_data;
	say("%s hardware %d %02x:%02x:%02x:%02x:%02x:%02x", name, r.ifr_hwaddr.sa_family, h[0], h[1],
		h[2], h[3], h[4], h[5]);
	told("index", ioctl(s, SIOCGIFINDEX, &r));
	say("%s index %d", name, r.ifr_ifindex);
	memset(r.ifr_name, 0, sizeof(r.ifr_name));
	told("name", ioctl(s, SIOCGIFNAME, &r));
	say("index is %s", r.ifr_name);
}

static void lists(int s)
{
	struct ifreq room[16];
	struct ifconf list = {.ifc_len = sizeof(room), .ifc_req = room};
	int all, all_found = 0;

	done("list", ioctl(s, SIOCGIFCONF, &list));
	all = list.ifc_len;
	for (int i = 0; i < list.ifc_len / (int)sizeof(room[0]); i++) {
		say("listed %s %s", room[i].ifr_name, address_text(&room[i].ifr_addr));
		addresses_of(s, room[i].ifr_name);
		all_found++;
	}
	list.ifc_len = 0;
	list.ifc_req = NULL;
	done("length", ioctl(s, SIOCGIFCONF, &list));
	check("the length of all", list.ifc_len == all && all_found);
	list.ifc_len = sizeof(room[0]) + 3;
	list.ifc_req = room;
	done("one", ioctl(s, SIOCGIFCONF, &list));
	say("%d", list.ifc_len / (int)sizeof(room[0]));
}

static void by_library(void)
{
	struct if_nameindex *names = if_nameindex();
	struct ifaddrs *all, *a;

	for (int i = 0; names && names[i].if_index; i++)
		say("interface %u %s", names[i].if_index, names[i].if_name);
	if_freenameindex(names);
	if (getifaddrs(&all) < 0)
		die("getifaddrs");
	for (a = all; a; a = a->ifa_next) {
		say("%s %#x", a->ifa_name, a->ifa_flags);
		say(" family %d", a->ifa_addr ? a->ifa_addr->sa_family : 0);
		say(" %s", address_text(a->ifa_addr));
		say(" mask %s", address_text(a->ifa_netmask));
		say(" to %s", address_text(a->ifa_broadaddr));
	}
	freeifaddrs(all);
}

int main(void)
{
	int s = socket_or_die(SOCK_DGRAM), local = socket(AF_UNIX, SOCK_STREAM, 0);
	struct if_nameindex *names;

	lists(s);
	by_library();
	names = if_nameindex();
	for (int i = 0; names && names[i].if_index; i++)
		link_of(i % 2 ? local : s, names[i].if_name);
	if_freenameindex(names);
	address_of(s, "none0", "address", SIOCGIFADDR);
	address_of(s, "eth0", "address", SIOCGIFADDR);
	address_of(s, "eth0:2", "mask", SIOCGIFNETMASK);
	address_of(s, "eth0:3", "mask", SIOCGIFNETMASK);
	address_of(local, "eth0", "address", SIOCGIFADDR);
	return finish();
}
