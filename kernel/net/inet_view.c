/* SPDX-License-Identifier: ISC */
/* /proc/net of a network that the family was given, in the formats of Linux 6. */
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "kernel/lib/lib.h"
#include "kernel/lib/text.h"
#include "kernel/net/inet.h"
#include "kernel/net/inet_proc.h"
#include "kernel/net/host_view.h"

#define ROUTE_WIDTH 127
/* <linux/route.h>, which is not for kernels */
enum { RTF_UP = 1, RTF_GATEWAY = 2, RTF_HOST = 4, RTF_REJECT = 0x200 };
#define IPV6_SCOPE_HOST 0x10
#define IPV6_SCOPE_LINK 0x20
#define IPV6_SCOPE_SITE 0x40

static const char *name_of(const struct net_view *v, s32 index)
{
	const struct nlmsghdr *link = index > 0 ? net_view_link(v, index, NULL) : NULL;

	return link ? net_view_link_name(link) : "*";
}

void view_dev(struct text *t, const struct net_view *v)
{
	static const struct rtnl_link_stats64 none;
	const struct nlmsghdr *h = NULL;

	while ((h = net_view_next(v, h, RTM_NEWLINK))) {
		/* what later versions of Linux have added is not shown */
		const void *counts = message_attribute(h, sizeof(struct ifinfomsg), IFLA_STATS64,
											   offsetof(struct rtnl_link_stats64, rx_nohandler));
		struct rtnl_link_stats64 s = none;

		if (counts)
			memcpy(&s, counts, offsetof(struct rtnl_link_stats64, rx_nohandler));
		text_add(t, "%6s: %7llu %7llu %4llu %4llu %4llu %5llu %10llu %9llu ",
				 net_view_link_name(h), s.rx_bytes, s.rx_packets, s.rx_errors,
				 s.rx_dropped + s.rx_missed_errors, s.rx_fifo_errors,
				 s.rx_length_errors + s.rx_over_errors + s.rx_crc_errors + s.rx_frame_errors,
				 s.rx_compressed, s.multicast);
		text_add(t, "%8llu %7llu %4llu %4llu %4llu %5llu %7llu %10llu\n", s.tx_bytes, s.tx_packets,
				 s.tx_errors, s.tx_dropped, s.tx_fifo_errors, s.collisions,
				 s.tx_carrier_errors + s.tx_aborted_errors + s.tx_window_errors +
					 s.tx_heartbeat_errors,
				 s.tx_compressed);
	}
}

static u32 word(const struct nlmsghdr *h, u32 type)
{
	const u32 *value = message_attribute(h, sizeof(struct rtmsg), type, sizeof(u32));

	return value ? *value : 0;
}

/* The first of several ways, if there are such. */
static void way(const struct nlmsghdr *h, u32 *gateway, s32 *index)
{
	u32 room = sizeof(struct rtnexthop);
	const struct rtnexthop *hop = message_attribute(h, sizeof(struct rtmsg), RTA_MULTIPATH, room);

	*gateway = word(h, RTA_GATEWAY);
	*index = (s32)word(h, RTA_OIF);
	if (!hop)
		return;
	*index = hop->rtnh_ifindex;
	const struct rtattr *a = (const struct rtattr *)(hop + 1);
	u32 left = (u32)((const char *)h + h->nlmsg_len - (const char *)a);
	if (hop->rtnh_len >= room + sizeof(*a) + sizeof(u32) && left >= sizeof(*a) + sizeof(u32) &&
		a->rta_type == RTA_GATEWAY)
		memcpy(gateway, a + 1, sizeof(u32));
}

/* Of IPv4 and the table main, as addresses are in memory. */
void view_route(struct text *t, const struct net_view *v)
{
	const struct nlmsghdr *h = NULL;
	char line[160];

	while ((h = net_view_next(v, h, RTM_NEWROUTE))) {
		const struct rtmsg *m = (const struct rtmsg *)(h + 1);
		u32 flags = RTF_UP, gateway, to = word(h, RTA_DST);
		u32 bits = m->rtm_dst_len ? ~0u << (32 - MIN(m->rtm_dst_len, 32)) : 0;
		s32 index;

		if (m->rtm_family != AF_INET || m->rtm_table != RT_TABLE_MAIN ||
			m->rtm_type == RTN_BROADCAST || m->rtm_type == RTN_MULTICAST)
			continue;
		way(h, &gateway, &index);
		if (m->rtm_type == RTN_UNREACHABLE || m->rtm_type == RTN_PROHIBIT)
			flags = RTF_UP | RTF_REJECT;
		flags |= gateway ? RTF_GATEWAY : 0;
		flags |= m->rtm_dst_len == 32 ? RTF_HOST : 0;
		ksnprintf(line, sizeof(line), "%s\t%08X\t%08X\t%04X\t%d\t%u\t%d\t%08X\t%d\t%u\t%u",
				  name_of(v, index), to, gateway, flags, 0, 0, word(h, RTA_PRIORITY),
				  __builtin_bswap32(bits), 0, 0, 0);
		line_end(t, line, ROUTE_WIDTH);
	}
}

static u32 scope_shown(u32 scope)
{
	switch (scope) {
	case RT_SCOPE_HOST: return IPV6_SCOPE_HOST;
	case RT_SCOPE_LINK: return IPV6_SCOPE_LINK;
	case RT_SCOPE_SITE: return IPV6_SCOPE_SITE;
	default: return 0;
	}
}

void view_if_inet6(struct text *t, const struct net_view *v)
{
	const struct nlmsghdr *h = NULL;

	while ((h = net_view_next(v, h, RTM_NEWADDR))) {
		const struct ifaddrmsg *a = (const struct ifaddrmsg *)(h + 1);
		const u8 *address = message_attribute(h, sizeof(*a), IFA_LOCAL, 16);

		if (!address)
			address = message_attribute(h, sizeof(*a), IFA_ADDRESS, 16);
		if (a->ifa_family != AF_INET6 || !address)
			continue;
		for (u32 i = 0; i < 16; i++)
			text_add(t, "%02x", address[i]);
		text_add(t, " %02x %02x %02x %02x %8s\n", a->ifa_index, a->ifa_prefixlen,
				 scope_shown(a->ifa_scope), a->ifa_flags, name_of(v, (s32)a->ifa_index));
	}
}
