/* SPDX-License-Identifier: ISC */
/*
 * NETLINK_ROUTE of a network that the family was given: a dump repeats the host's messages, one
 * link is looked up in them, and so is the route to an address. Neighbours and rules are not shown.
 */
#include <asm/errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/net/inet.h"
#include "kernel/net/host_view.h"
#include "kernel/net/netlink.h"
#include "kernel/task/thread.h"

/* What Linux puts into one datagram of a dump: programs have room for a page. */
#define DATAGRAM_MAX 3712u
#define REPLY_ROOM 256u
#define FAMILY_BRIDGE 7
/* What the kernel knows of a destination (RTCF_*): it is here, or everybody. */
#define TO_LOCAL 0x80000000u
#define TO_BROADCAST 0x10000000u

/* A copy of the host's message, as an answer to h. */
static void answer(void *to, const struct nlmsghdr *message, const struct nlmsghdr *h, u32 port,
				   u32 flags)
{
	struct nlmsghdr *copy = to;

	memcpy(to, message, message->nlmsg_len);
	copy->nlmsg_flags = (u16)flags;
	copy->nlmsg_seq = h->nlmsg_seq;
	copy->nlmsg_pid = port;
}

/* The first byte of every message's own structure is its family. */
static bool wanted(const struct nlmsghdr *message, u32 type, u32 family)
{
	if (type == RTM_NEWLINK)
		return family != FAMILY_BRIDGE;
	return family == AF_UNSPEC || *(const u8 *)(message + 1) == family;
}

static s64 done(struct netlink_socket *n, const struct nlmsghdr *h)
{
	struct {
		struct nlmsghdr h;
		s32 status;
	} end = {{sizeof(end), NLMSG_DONE, NLM_F_MULTI, h->nlmsg_seq, n->port}, 0};

	return netlink_reply(n, &end, sizeof(end));
}

s64 view_dump(struct netlink_socket *n, const struct nlmsghdr *h, u32 family,
			  const struct net_view *v)
{
	u32 type = h->nlmsg_type - RTM_GETLINK + RTM_NEWLINK, len = 0, size;
	const struct nlmsghdr *message = NULL;
	char *datagram = kmalloc(v->bytes + DATAGRAM_MAX);
	s64 err = 0;

	if (!datagram)
		return -ENOBUFS;
	while (!err && (message = net_view_next(v, message, type))) {
		size = ALIGN_UP(message->nlmsg_len, 4);
		if (!wanted(message, type, family))
			continue;
		if (len && len + size > DATAGRAM_MAX) {
			err = netlink_reply(n, datagram, len);
			len = 0;
		}
		answer(datagram + len, message, h, n->port, NLM_F_MULTI);
		len += size;
	}
	if (!err && len)
		err = netlink_reply(n, datagram, len);
	kfree(datagram);
	return err ? err : done(n, h);
}

static s64 one_link(struct netlink_socket *n, const struct nlmsghdr *h, const struct net_view *v)
{
	const struct ifinfomsg *i = (const struct ifinfomsg *)(h + 1);
	char name[16] = "", *copy;
	const struct nlmsghdr *link;
	const void *given;
	s64 err;

	if (h->nlmsg_len < sizeof(*h) + sizeof(*i))
		return -EINVAL;
	given = message_attribute(h, sizeof(*i), IFLA_IFNAME, 1);
	if (given)
		strlcpy(name, given, MIN(sizeof(name), (size_t)((const char *)h + h->nlmsg_len -
														(const char *)given)));
	link = net_view_link(v, i->ifi_index, name);
	copy = link ? kmalloc(link->nlmsg_len) : NULL;
	if (!copy)
		return link ? -ENOBUFS : -ENODEV;
	answer(copy, link, h, n->port, 0);
	err = netlink_reply(n, copy, link->nlmsg_len);
	kfree(copy);
	return err;
}

/* ---- the route to an address: the longest prefix of the tables local, main, default, in order */

static bool prefix_holds(const u8 *to, const u8 *prefix, u32 bits)
{
	u32 bytes = bits / 8, rest = bits % 8;

	if (memcmp(to, prefix, bytes))
		return false;
	return !rest || !((to[bytes] ^ prefix[bytes]) >> (8 - rest));
}

static u32 metric(const struct nlmsghdr *route)
{
	const u32 *value = message_attribute(route, sizeof(struct rtmsg), RTA_PRIORITY, sizeof(u32));

	return value ? *value : 0;
}

static bool leads(const struct nlmsghdr *route, u32 family, const u8 *to)
{
	const struct rtmsg *m = (const struct rtmsg *)(route + 1);
	u32 bytes = family == AF_INET ? 4 : 16;
	const u8 *prefix = message_attribute(route, sizeof(*m), RTA_DST, bytes);

	if (m->rtm_family != family || m->rtm_table < RT_TABLE_DEFAULT || m->rtm_dst_len > bytes * 8)
		return false;
	return !m->rtm_dst_len || (prefix && prefix_holds(to, prefix, m->rtm_dst_len));
}

/* Is a before b? The numbers of the three tables fall in the order that they are looked through. */
static bool better(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	const struct rtmsg *x = (const struct rtmsg *)(a + 1), *y = (const struct rtmsg *)(b + 1);

	if (x->rtm_table != y->rtm_table)
		return x->rtm_table > y->rtm_table;
	if (x->rtm_dst_len != y->rtm_dst_len)
		return x->rtm_dst_len > y->rtm_dst_len;
	return metric(a) < metric(b);
}

static const struct nlmsghdr *route_find(const struct net_view *v, u32 family, const u8 *to)
{
	const struct nlmsghdr *h = NULL, *best = NULL;

	while ((h = net_view_next(v, h, RTM_NEWROUTE)))
		if (leads(h, family, to) && (!best || better(h, best)))
			best = h;
	return best;
}

static void attribute(struct nlmsghdr *h, u32 type, const void *data, u32 bytes)
{
	struct rtattr *a = (struct rtattr *)((char *)h + h->nlmsg_len);

	if (!data || h->nlmsg_len + sizeof(*a) + ALIGN_UP(bytes, 4) > REPLY_ROOM)
		return;
	a->rta_type = (u16)type;
	a->rta_len = (u16)(sizeof(*a) + bytes);
	memcpy(a + 1, data, bytes);
	h->nlmsg_len += (u32)(sizeof(*a) + ALIGN_UP(bytes, 4));
}

/* The address that Linux sends from: of the gateway's network, or the interface's first. */
static const u8 *source(const struct net_view *v, u32 family, s32 index, const u8 *next)
{
	const struct nlmsghdr *h = NULL;
	const u8 *first = NULL, *address;

	while ((h = net_view_next(v, h, RTM_NEWADDR))) {
		const struct ifaddrmsg *a = (const struct ifaddrmsg *)(h + 1);
		u32 bytes = family == AF_INET ? 4 : 16;

		if (a->ifa_family != family || (s32)a->ifa_index != index || a->ifa_prefixlen > bytes * 8)
			continue;
		address = message_attribute(h, sizeof(*a), family == AF_INET ? IFA_LOCAL : IFA_ADDRESS,
									bytes);
		if (address && prefix_holds(next, address, a->ifa_prefixlen))
			return address;
		if (!first && a->ifa_scope < RT_SCOPE_LINK)
			first = address;
	}
	return first;
}

static s64 route_error(u32 type)
{
	switch (type) {
	case RTN_UNREACHABLE: return -EHOSTUNREACH;
	case RTN_PROHIBIT: return -EACCES;
	case RTN_BLACKHOLE: return -EINVAL;
	default: return 0;
	}
}

static u32 flags_of(u32 type)
{
	switch (type) {
	case RTN_LOCAL: return RTM_F_CLONED | TO_LOCAL;
	case RTN_BROADCAST: return RTM_F_CLONED | TO_LOCAL | TO_BROADCAST;
	default: return RTM_F_CLONED;
	}
}

/* What an address of IPv6 has besides: from where, and its route's own preferences. */
static void attributes6(struct nlmsghdr *out, const struct nlmsghdr *route)
{
	static const u32 copied[] = {RTA_PRIORITY, RTA_PREF};
	static const u32 bytes[] = {sizeof(u32), 1};
	struct rtmsg *m = (struct rtmsg *)(out + 1);

	m->rtm_protocol = ((const struct rtmsg *)(route + 1))->rtm_protocol;
	m->rtm_src_len = 128;
	attribute(out, RTA_SRC, inet_any6.address, sizeof(inet_any6.address));

	for (u32 i = 0; i < ARRAY_SIZE(copied); i++)
		attribute(out, copied[i],
				  message_attribute(route, sizeof(struct rtmsg), copied[i], bytes[i]), bytes[i]);
}

static s64 one_route(struct netlink_socket *n, const struct nlmsghdr *h, const struct net_view *v)
{
	const struct rtmsg *asked = (const struct rtmsg *)(h + 1), *m;
	char room[REPLY_ROOM] __attribute__((aligned(8))) = {0};
	struct nlmsghdr *out = (struct nlmsghdr *)room;
	const struct rta_cacheinfo cache = {0};
	const struct nlmsghdr *route;
	const u8 *to, *gateway, *from;
	u32 bytes, table, uid = current->proc->kp->inherited.euid;
	const s32 loopback = LO_INDEX, *index;
	bool four;

	if (h->nlmsg_len < sizeof(*h) + sizeof(*asked))
		return -EINVAL;
	four = asked->rtm_family == AF_INET;
	bytes = four ? 4 : 16;
	to = message_attribute(h, sizeof(*asked), RTA_DST, bytes);
	if (!to || (!four && asked->rtm_family != AF_INET6))
		return -EINVAL;
	route = route_find(v, asked->rtm_family, to);
	if (!route)
		return -ENETUNREACH;
	m = (const struct rtmsg *)(route + 1);
	if (route_error(m->rtm_type))
		return route_error(m->rtm_type);
	index = message_attribute(route, sizeof(*m), RTA_OIF, sizeof(*index));
	gateway = message_attribute(route, sizeof(*m), RTA_GATEWAY, bytes);
	from = message_attribute(route, sizeof(*m), RTA_PREFSRC, bytes);
	if (m->rtm_type == RTN_LOCAL) {
		from = to;
		index = &loopback;
	} else if (!from && index) {
		from = source(v, asked->rtm_family, *index, gateway ? gateway : to);
	}
	table = four ? RT_TABLE_MAIN : m->rtm_table; /* Linux looks both up as one */
	*out = (struct nlmsghdr){sizeof(*out) + sizeof(*m), RTM_NEWROUTE, 0, h->nlmsg_seq, n->port};
	*(struct rtmsg *)(out + 1) = (struct rtmsg){
		.rtm_family = asked->rtm_family, .rtm_dst_len = (u8)(bytes * 8), .rtm_table = (u8)table,
		.rtm_type = m->rtm_type, .rtm_flags = four ? flags_of(m->rtm_type) : 0};
	attribute(out, RTA_TABLE, &table, sizeof(table));
	attribute(out, RTA_DST, to, bytes);
	attribute(out, RTA_OIF, index, sizeof(*index));
	attribute(out, RTA_PREFSRC, from, bytes);
	attribute(out, RTA_GATEWAY, gateway, bytes);
	if (four)
		attribute(out, RTA_UID, &uid, sizeof(uid));
	else
		attributes6(out, route);
	attribute(out, RTA_CACHEINFO, &cache, sizeof(cache));
	return netlink_reply(n, out, out->nlmsg_len);
}

s64 view_one(struct netlink_socket *n, const struct nlmsghdr *h, const struct net_view *v)
{
	switch (h->nlmsg_type) {
	case RTM_GETLINK: return one_link(n, h, v);
	case RTM_GETROUTE: return one_route(n, h, v);
	default: return -EOPNOTSUPP;
	}
}
