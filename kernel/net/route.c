/* SPDX-License-Identifier: ISC */
/*
 * NETLINK_ROUTE: interfaces, addresses and routes of a family, as a network namespace without any
 * but lo has them; view_route.c has those of one that was given a network. Source: rtnetlink(7),
 * and what Linux answers there.
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

#define REPLY_MAX 1024u
#define LO_FLAGS 0x10049u /* up, loopback, running, lower up */
#define FOREVER (~0u)

/* One datagram that is being written. */
struct reply {
	u32 len, start; /* start: of the message that is being written */
	u32 seq, port;
	bool multi;
	char bytes[REPLY_MAX];
};

static void *reply_room(struct reply *r, u32 n)
{
	void *p = r->bytes + r->len;

	kassert(r->len + ALIGN_UP(n, 4) <= REPLY_MAX);
	memset(p, 0, ALIGN_UP(n, 4));
	r->len += ALIGN_UP(n, 4);
	return p;
}

static void *message_begin(struct reply *r, u32 type, u32 body)
{
	struct nlmsghdr *h;

	r->start = r->len;
	h = reply_room(r, sizeof(*h));
	h->nlmsg_type = (u16)type;
	h->nlmsg_flags = r->multi ? NLM_F_MULTI : 0;
	h->nlmsg_seq = r->seq;
	h->nlmsg_pid = r->port;
	return reply_room(r, body);
}

static void message_end(struct reply *r)
{
	((struct nlmsghdr *)(r->bytes + r->start))->nlmsg_len = r->len - r->start;
}

static void attribute(struct reply *r, u32 type, const void *data, u32 n)
{
	struct rtattr *a = reply_room(r, (u32)sizeof(*a));

	a->rta_type = (u16)type;
	a->rta_len = (u16)(sizeof(*a) + n);
	memcpy(reply_room(r, n), data, n);
}

static void attribute_u32(struct reply *r, u32 type, u32 n)
{
	attribute(r, type, &n, sizeof(n));
}

static void attribute_u8(struct reply *r, u32 type, u8 n)
{
	attribute(r, type, &n, sizeof(n));
}

/* ---- what there is */

static void add_link(struct reply *r)
{
	static const u8 no_hardware[6] = {0};
	struct ifinfomsg *i = message_begin(r, RTM_NEWLINK, sizeof(*i));

	i->ifi_type = LO_HARDWARE;
	i->ifi_index = LO_INDEX;
	i->ifi_flags = LO_FLAGS;
	attribute(r, IFLA_IFNAME, "lo", 3);
	attribute_u32(r, IFLA_TXQLEN, LO_QUEUE_LENGTH);
	attribute_u8(r, IFLA_OPERSTATE, 0);
	attribute_u8(r, IFLA_LINKMODE, 0);
	attribute_u32(r, IFLA_MTU, INET_MTU);
	attribute_u32(r, IFLA_GROUP, 0);
	attribute_u32(r, IFLA_PROMISCUITY, 0);
	attribute_u32(r, IFLA_NUM_TX_QUEUES, 1);
	attribute_u32(r, IFLA_NUM_RX_QUEUES, 1);
	attribute_u8(r, IFLA_CARRIER, 1);
	attribute(r, IFLA_QDISC, "noqueue", 8);
	attribute(r, IFLA_ADDRESS, no_hardware, sizeof(no_hardware));
	attribute(r, IFLA_BROADCAST, no_hardware, sizeof(no_hardware));
	message_end(r);
}

static void add_address(struct reply *r, bool four)
{
	const struct inet_name *n = four ? &inet_loopback4 : &inet_loopback6;
	struct ifaddrmsg *a = message_begin(r, RTM_NEWADDR, sizeof(*a));
	const struct ifa_cacheinfo forever = {FOREVER, FOREVER, 0, 0};

	a->ifa_family = four ? AF_INET : AF_INET6;
	a->ifa_prefixlen = four ? 8 : 128;
	a->ifa_flags = IFA_F_PERMANENT;
	a->ifa_scope = RT_SCOPE_HOST;
	a->ifa_index = LO_INDEX;
	attribute(r, IFA_ADDRESS, n->address + (four ? 12 : 0), four ? 4 : 16);
	if (four) {
		attribute(r, IFA_LOCAL, n->address + 12, 4);
		attribute(r, IFA_LABEL, "lo", 3);
	}
	attribute_u32(r, IFA_FLAGS, IFA_F_PERMANENT);
	attribute(r, IFA_CACHEINFO, &forever, sizeof(forever));
	message_end(r);
}

/* One of the table "local". */
static void add_route(struct reply *r, bool four, u32 prefix)
{
	struct rtmsg *m = message_begin(r, RTM_NEWROUTE, sizeof(*m));
	const struct inet_name *n = four ? &inet_loopback4 : &inet_loopback6;
	u8 to[4] = {127, 0, 0, prefix == 32};

	m->rtm_family = four ? AF_INET : AF_INET6;
	m->rtm_dst_len = (u8)prefix;
	m->rtm_table = RT_TABLE_LOCAL;
	m->rtm_protocol = RTPROT_KERNEL;
	m->rtm_scope = four ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_LOCAL;
	attribute_u32(r, RTA_TABLE, RT_TABLE_LOCAL);
	attribute(r, RTA_DST, four ? to : n->address, four ? 4 : 16);
	if (four)
		attribute(r, RTA_PREFSRC, n->address + 12, 4);
	attribute_u32(r, RTA_OIF, LO_INDEX);
	message_end(r);
}

static void add_all(struct reply *r, u32 type, u32 family)
{
	switch (type) {
	case RTM_GETLINK: add_link(r); break;
	case RTM_GETADDR:
		if (family != AF_INET6)
			add_address(r, true);
		if (family != AF_INET)
			add_address(r, false);
		break;
	case RTM_GETROUTE:
		if (family != AF_INET6) {
			add_route(r, true, 8);
			add_route(r, true, 32);
		}
		if (family != AF_INET)
			add_route(r, false, 128);
		break;
	default: break; /* neighbours and rules: none */
	}
}

/* ---- requests */

static struct reply *reply_new(struct netlink_socket *n, const struct nlmsghdr *h)
{
	struct reply *r = kmalloc(sizeof(*r));

	if (!r)
		return NULL;
	r->len = r->start = 0;
	r->seq = h->nlmsg_seq;
	r->port = n->port;
	r->multi = false;
	return r;
}

static s64 dump(struct netlink_socket *n, const struct nlmsghdr *h, u32 family)
{
	struct reply *r = reply_new(n, h);
	s64 err = 0;

	if (!r)
		return -ENOBUFS;
	r->multi = true;
	add_all(r, h->nlmsg_type, family);
	if (r->len)
		err = netlink_reply(n, r->bytes, r->len);
	r->len = 0;
	message_begin(r, NLMSG_DONE, sizeof(s32));
	message_end(r);
	if (!err)
		err = netlink_reply(n, r->bytes, r->len);
	kfree(r);
	return err;
}

static bool asks_for_lo(const struct nlmsghdr *h)
{
	const struct ifinfomsg *i = (const struct ifinfomsg *)(h + 1);
	const char *name = message_attribute(h, sizeof(*i), IFLA_IFNAME, 3);

	if (h->nlmsg_len < sizeof(*h) + sizeof(*i))
		return false;
	return i->ifi_index == LO_INDEX || (!i->ifi_index && name && !strncmp(name, "lo", 3));
}

static bool asks_for_loopback(const struct nlmsghdr *h)
{
	const struct rtmsg *m = (const struct rtmsg *)(h + 1);
	struct inet_name n = inet_any4;
	const void *to;

	if (h->nlmsg_len < sizeof(*h) + sizeof(*m))
		return false;
	to = message_attribute(h, sizeof(*m), RTA_DST, m->rtm_family == AF_INET ? 4 : 16);
	if (!to)
		return false;
	if (m->rtm_family == AF_INET)
		memcpy(n.address + 12, to, 4);
	else
		memcpy(n.address, to, 16);
	return inet_is_local(&n);
}

static s64 one(struct netlink_socket *n, const struct nlmsghdr *h, u32 family)
{
	struct reply *r;
	s64 err;

	if (h->nlmsg_type == RTM_GETLINK && !asks_for_lo(h))
		return -ENODEV;
	if (h->nlmsg_type == RTM_GETROUTE && !asks_for_loopback(h))
		return -ENETUNREACH;
	if (h->nlmsg_type != RTM_GETLINK && h->nlmsg_type != RTM_GETROUTE)
		return -EOPNOTSUPP;
	r = reply_new(n, h);
	if (!r)
		return -ENOBUFS;
	if (h->nlmsg_type == RTM_GETLINK)
		add_link(r);
	else
		add_route(r, family == AF_INET, family == AF_INET ? 8 : 128);
	err = netlink_reply(n, r->bytes, r->len);
	kfree(r);
	return err;
}

s64 route_request(struct netlink_socket *n, const struct nlmsghdr *h)
{
	const struct rtgenmsg *g = (const struct rtgenmsg *)(h + 1);

	switch (h->nlmsg_type) {
	case RTM_GETLINK:
	case RTM_GETADDR:
	case RTM_GETROUTE:
	case RTM_GETNEIGH:
	case RTM_GETRULE: break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
	case RTM_SETLINK:
	case RTM_NEWADDR:
	case RTM_DELADDR:
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
	case RTM_NEWRULE:
	case RTM_DELRULE: return -EPERM;
	default: return -EOPNOTSUPP;
	}
	if (h->nlmsg_len < sizeof(*h) + sizeof(*g))
		return -EINVAL;
	bool all = (h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	struct net_view *v = net_view_take();
	s64 err;

	if (!v)
		return all ? dump(n, h, g->rtgen_family) : one(n, h, g->rtgen_family);
	err = all ? view_dump(n, h, g->rtgen_family, v) : view_one(n, h, v);
	kfree(v);
	return err;
}
