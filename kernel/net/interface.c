/* SPDX-License-Identifier: ISC */
/*
 * What sockets of every family say of network interfaces by ioctl: of those that the family was
 * given, or else of lo alone. Source: netdevice(7).
 */
#include <asm/errno.h>
#include <asm/ioctls.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

#include "kernel/arch/arch.h"
#include "kernel/host/host.h"
#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/net/inet.h"
#include "kernel/net/host_view.h"

#define LO_FLAGS 0x49 /* IFF_UP | IFF_LOOPBACK | IFF_RUNNING */

/* struct ifreq: a name, and what is asked of it */
struct interface_request {
	char name[16];
	union {
		struct inet_address4 address;
		s16 flags;
		s32 number;
		struct {
			u16 family;
			u8 hardware[14];
		} hardware;
		u8 room[24];
	};
};

struct interface_list {
	s32 bytes;
	u32 pad;
	u64 requests;
};

static void address_of(struct interface_request *r, u8 a, u8 b, u8 c, u8 d)
{
	r->address = (struct inet_address4){.family = AF_INET, .address = {a, b, c, d}};
}

static s64 list_all(u64 arg)
{
	struct interface_request lo = {.name = "lo"};
	struct interface_list list;

	if (copy_in(&list, (void *)arg, sizeof(list)))
		return -EFAULT;
	address_of(&lo, 127, 0, 0, 1);
	if (list.requests) {
		bool fits = list.bytes >= (s32)sizeof(lo);

		if (fits && copy_out((void *)list.requests, &lo, sizeof(lo)))
			return -EFAULT;
		list.bytes = fits ? sizeof(lo) : 0;
	} else {
		list.bytes = sizeof(lo);
	}
	return copy_out((void *)arg, &list, sizeof(list));
}

/* What is known of lo, if there is nothing else. */
static s64 answer_lo(u32 cmd, struct interface_request *r)
{
	switch (cmd) {
	case SIOCGIFADDR: address_of(r, 127, 0, 0, 1); return 0;
	case SIOCGIFNETMASK: address_of(r, 255, 0, 0, 0); return 0;
	case SIOCGIFBRDADDR: address_of(r, 0, 0, 0, 0); return 0;
	case SIOCGIFDSTADDR: address_of(r, 127, 0, 0, 1); return 0;
	case SIOCGIFFLAGS: r->flags = LO_FLAGS; return 0;
	case SIOCGIFMTU: r->number = INET_MTU; return 0;
	case SIOCGIFINDEX: r->number = LO_INDEX; return 0;
	case SIOCGIFTXQLEN: r->number = LO_QUEUE_LENGTH; return 0;
	case SIOCGIFMETRIC: r->number = 0; return 0;
	case SIOCGIFHWADDR:
		memset(&r->hardware, 0, sizeof(r->hardware));
		r->hardware.family = LO_HARDWARE;
		return 0;
	default: return -ENOTTY;
	}
}

static bool about_addresses(u32 cmd)
{
	return cmd == SIOCGIFADDR || cmd == SIOCGIFNETMASK || cmd == SIOCGIFBRDADDR ||
		   cmd == SIOCGIFDSTADDR;
}

/* ---- what the family was given */

static struct inet_address4 address4(const void *address)
{
	struct inet_address4 a = {.family = AF_INET};

	if (address)
		memcpy(a.address, address, sizeof(a.address));
	return a;
}

static const char *label_of(const struct nlmsghdr *h)
{
	const char *label = message_attribute(h, sizeof(struct ifaddrmsg), IFA_LABEL, 2);
	u32 room = (u32)((const char *)h + h->nlmsg_len - label);

	return label && memchr(label, 0, MIN(room, 16u)) ? label : "";
}

static const struct nlmsghdr *next_address4(const struct net_view *v, const struct nlmsghdr *h)
{
	do {
		h = net_view_next(v, h, RTM_NEWADDR);
	} while (h && ((const struct ifaddrmsg *)(h + 1))->ifa_family != AF_INET);
	return h;
}

/* As many as there is room for; without a place for them, how long they are. */
static s64 list_view(u64 arg, const struct net_view *v)
{
	const struct nlmsghdr *h = NULL;
	struct interface_list list;
	s32 bytes = 0;

	if (copy_in(&list, (void *)arg, sizeof(list)))
		return -EFAULT;
	while ((h = next_address4(v, h))) {
		struct interface_request r = {0};

		strlcpy(r.name, label_of(h), sizeof(r.name));
		r.address = address4(message_attribute(h, sizeof(struct ifaddrmsg), IFA_LOCAL, 4));
		if (list.requests && list.bytes - bytes < (s32)sizeof(r))
			break;
		if (list.requests && copy_out((void *)(list.requests + (u64)bytes), &r, sizeof(r)))
			return -EFAULT;
		bytes += (s32)sizeof(r);
	}
	list.bytes = bytes;
	return copy_out((void *)arg, &list, sizeof(list));
}

/* The address that r names, by its label, and itself if there are several with that. */
static const struct nlmsghdr *address_find(const struct net_view *v,
										   const struct interface_request *r)
{
	const struct nlmsghdr *h = NULL, *first = NULL;

	while ((h = next_address4(v, h))) {
		const void *local = message_attribute(h, sizeof(struct ifaddrmsg), IFA_LOCAL, 4);

		if (strcmp(label_of(h), r->name) || !local)
			continue;
		if (r->address.family == AF_INET && !memcmp(local, r->address.address, 4))
			return h;
		if (!first)
			first = h;
	}
	return first;
}

static s64 answer_address(u32 cmd, struct interface_request *r, const struct net_view *v)
{
	const struct nlmsghdr *h = address_find(v, r);
	const struct ifaddrmsg *a = (const struct ifaddrmsg *)(h + 1);
	u32 bits;

	if (!h)
		return -EADDRNOTAVAIL;
	bits = a->ifa_prefixlen ? ~0u << (32 - MIN(a->ifa_prefixlen, 32)) : 0;
	bits = __builtin_bswap32(bits);
	memset(&r->room, 0, sizeof(r->room));
	switch (cmd) {
	case SIOCGIFADDR: r->address = address4(message_attribute(h, sizeof(*a), IFA_LOCAL, 4)); break;
	case SIOCGIFBRDADDR:
		r->address = address4(message_attribute(h, sizeof(*a), IFA_BROADCAST, 4));
		break;
	case SIOCGIFDSTADDR:
		r->address = address4(message_attribute(h, sizeof(*a), IFA_ADDRESS, 4));
		break;
	default: r->address = address4(&bits); break;
	}
	return 0;
}

static s32 number(const struct nlmsghdr *link, u32 type)
{
	const s32 *value = message_attribute(link, sizeof(struct ifinfomsg), type, sizeof(s32));

	return value ? *value : 0;
}

static void hardware_of(struct interface_request *r, const struct nlmsghdr *link)
{
	const struct ifinfomsg *i = (const struct ifinfomsg *)(link + 1);
	const char *address = message_attribute(link, sizeof(*i), IFLA_ADDRESS, 0);
	u32 len = address ? ((const struct rtattr *)address - 1)->rta_len - sizeof(struct rtattr) : 0;

	memset(&r->hardware, 0, sizeof(r->hardware));
	r->hardware.family = i->ifi_type;
	if (len)
		memcpy(r->hardware.hardware, address, MIN(len, (u32)sizeof(r->hardware.hardware)));
}

static s64 answer_link(u32 cmd, struct interface_request *r, const struct nlmsghdr *link)
{
	const struct ifinfomsg *i = (const struct ifinfomsg *)(link + 1);

	switch (cmd) {
	case SIOCGIFFLAGS: r->flags = (s16)i->ifi_flags; return 0;
	case SIOCGIFMTU: r->number = number(link, IFLA_MTU); return 0;
	case SIOCGIFINDEX: r->number = i->ifi_index; return 0;
	case SIOCGIFTXQLEN: r->number = number(link, IFLA_TXQLEN); return 0;
	case SIOCGIFMETRIC: r->number = 0; return 0;
	case SIOCGIFHWADDR: hardware_of(r, link); return 0;
	default: return -ENOTTY;
	}
}

/* Addresses may have names of their own behind a colon, eth0:1; an interface is what is before. */
static s64 answer_view(u32 cmd, struct interface_request *r, const struct net_view *v)
{
	char name[sizeof(r->name)];
	const struct nlmsghdr *link;
	char *colon;

	if (cmd == SIOCGIFNAME) {
		link = r->number > 0 ? net_view_link(v, r->number, NULL) : NULL;
		if (link)
			strlcpy(r->name, net_view_link_name(link), sizeof(r->name));
		return link ? 0 : -ENODEV;
	}
	strlcpy(name, r->name, sizeof(name));
	colon = strchr(name, ':');
	if (colon)
		*colon = '\0';
	link = net_view_link(v, 0, name);
	if (!link)
		return -ENODEV;
	return about_addresses(cmd) ? answer_address(cmd, r, v) : answer_link(cmd, r, link);
}

/* ---- both */

static s64 answer_one(u32 cmd, struct interface_request *r)
{
	if (cmd == SIOCGIFNAME) {
		if (r->number != LO_INDEX)
			return -ENODEV;
		strlcpy(r->name, "lo", sizeof(r->name));
		return 0;
	}
	return strcmp(r->name, "lo") ? -ENODEV : answer_lo(cmd, r);
}

static s64 request_answer(u32 cmd, u64 arg, const struct net_view *v)
{
	struct interface_request r;
	s64 err;

	if (copy_in(&r, (void *)arg, sizeof(r)))
		return -EFAULT;
	r.name[sizeof(r.name) - 1] = '\0';
	err = v ? answer_view(cmd, &r, v) : answer_one(cmd, &r);
	if (err == -ENOTTY) /* SIOCSIF*: nobody here has an interface to set */
		return -EPERM;
	return err ? err : copy_out((void *)arg, &r, sizeof(r));
}

s64 interface_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	struct net_view *v;
	s64 err;

	if (about_addresses(cmd) && s->family != AF_INET)
		return -ENOTTY;
	if (cmd != SIOCGIFCONF && (cmd < SIOCGIFNAME || cmd > SIOCSIFTXQLEN))
		return -ENOTTY;
	v = net_view_take();
	if (cmd == SIOCGIFCONF)
		err = v ? list_view(arg, v) : list_all(arg);
	else
		err = request_answer(cmd, arg, v);
	if (v)
		kfree(v);
	return err;
}
