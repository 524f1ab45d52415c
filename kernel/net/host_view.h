/* SPDX-License-Identifier: ISC */
/*
 * The network that the family was given, as the host says: its messages of rtnetlink(7), which the
 * supervisor fetches when somebody here asks. Without --net there is none, and programs see a
 * namespace that has lo alone.
 */
#ifndef KERNEL_NET_HOST_VIEW_H
#define KERNEL_NET_HOST_VIEW_H

#include "common/types.h"

struct nlmsghdr;
struct text;
struct netlink_socket;

struct net_view {
	u32 bytes;
	char messages[] __attribute__((aligned(8)));
};

/*
 * As it is now: private memory, to be freed with kfree. NULL: there is none. It may sleep for a
 * moment, so no lock may be held.
 */
struct net_view *net_view_take(void);
/* The next message of a type behind that one (NULL: the first), with its own structure at least. */
const struct nlmsghdr *net_view_next(const struct net_view *v, const struct nlmsghdr *after,
									 u32 type);
/* An attribute of at least so many bytes behind a message's structure of `body` bytes, or NULL. */
const void *message_attribute(const struct nlmsghdr *h, u32 body, u32 type, u32 bytes);
/* A link by its index or, if that is 0, its name; NULL: there is none. */
const struct nlmsghdr *net_view_link(const struct net_view *v, s32 index, const char *name);
const char *net_view_link_name(const struct nlmsghdr *link);

/* inet_view.c: /proc/net */
void view_dev(struct text *t, const struct net_view *v);
void view_route(struct text *t, const struct net_view *v);
void view_if_inet6(struct text *t, const struct net_view *v);

/* view_route.c: answers to RTM_GET*; all there is, or one. */
s64 view_dump(struct netlink_socket *n, const struct nlmsghdr *h, u32 family,
			  const struct net_view *v);
s64 view_one(struct netlink_socket *n, const struct nlmsghdr *h, const struct net_view *v);

#endif
