/* SPDX-License-Identifier: ISC */
/* See the header. Other members can write what comes from kin: lengths are checked here. */
#include <asm/errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdatomic.h>

#include "abi/kin.h"
#include "kernel/host/host.h"
#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/net/host_view.h"

#define PATIENCE_NS 200000000ull
#define WAITS 10 /* an interrupt may end one */
#define LOOKS 100

/* A copy that the supervisor did not change meanwhile. */
static bool copy(struct net_view *v)
{
	struct kin_net_view *view = &KIN->net_view;
	u32 before = atomic_load(&view->sequence);

	v->bytes = MIN(view->bytes, NET_VIEW_MAX);
	memcpy(v->messages, view->messages, v->bytes);
	return !(before & 1) && before == atomic_load(&view->sequence);
}

struct net_view *net_view_take(void)
{
	struct kin_net_view *view = &KIN->net_view;
	u32 looks = atomic_load(&view->looks);
	struct net_view *v;

	if (!KIN->sockets)
		return NULL;
	atomic_store(&view->wanted, 1);
	host_notify();
	for (u32 i = 0; i < WAITS && atomic_load(&view->looks) == looks; i++)
		host_futex_wait(&view->looks, looks, PATIENCE_NS);
	v = kmalloc(sizeof(*v) + NET_VIEW_MAX);
	for (u32 i = 0; v && i < LOOKS; i++)
		if (copy(v) && v->bytes)
			return v;
	if (v)
		kfree(v);
	return NULL;
}

static u32 body_of(u32 type)
{
	switch (type) {
	case RTM_NEWLINK: return sizeof(struct ifinfomsg);
	case RTM_NEWADDR: return sizeof(struct ifaddrmsg);
	default: return sizeof(struct rtmsg);
	}
}

const struct nlmsghdr *net_view_next(const struct net_view *v, const struct nlmsghdr *after,
									 u32 type)
{
	u32 at = after ? (u32)((const char *)after - v->messages) + ALIGN_UP(after->nlmsg_len, 4) : 0;

	while (at + sizeof(struct nlmsghdr) <= v->bytes) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)(v->messages + at);

		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > v->bytes - at)
			break;
		if (h->nlmsg_type == type && h->nlmsg_len >= sizeof(*h) + body_of(type))
			return h;
		at += ALIGN_UP(h->nlmsg_len, 4);
	}
	return NULL;
}

const void *message_attribute(const struct nlmsghdr *h, u32 body, u32 type, u32 bytes)
{
	u32 at = (u32)(sizeof(*h) + ALIGN_UP(body, 4));

	while (at + sizeof(struct rtattr) <= h->nlmsg_len) {
		const struct rtattr *a = (const struct rtattr *)((const char *)h + at);

		if (a->rta_len < sizeof(*a) || a->rta_len > h->nlmsg_len - at)
			return NULL;
		if (a->rta_type == type && a->rta_len - sizeof(*a) >= bytes)
			return a + 1;
		at += ALIGN_UP(a->rta_len, 4);
	}
	return NULL;
}

const char *net_view_link_name(const struct nlmsghdr *link)
{
	const char *name = message_attribute(link, sizeof(struct ifinfomsg), IFLA_IFNAME, 2);
	u32 room = (u32)((const char *)link + link->nlmsg_len - name);

	return name && memchr(name, 0, MIN(room, 16u)) ? name : "?";
}

const struct nlmsghdr *net_view_link(const struct net_view *v, s32 index, const char *name)
{
	const struct nlmsghdr *h = NULL;

	while ((h = net_view_next(v, h, RTM_NEWLINK))) {
		const struct ifinfomsg *i = (const struct ifinfomsg *)(h + 1);

		if (index ? i->ifi_index == index : !strcmp(net_view_link_name(h), name))
			return h;
	}
	return NULL;
}
