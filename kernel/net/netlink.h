/* SPDX-License-Identifier: ISC */
/* AF_NETLINK: sockets (netlink.c), and what they are told of interfaces and routes (route.c). */
#ifndef KERNEL_NET_NETLINK_H
#define KERNEL_NET_NETLINK_H

#include "kernel/net/endpoint.h"

#define SOL_NETLINK_LEVEL 270

struct nlmsghdr;

struct netlink_socket {
	struct endpoint e;
	u32 port;   /* net_lock; 0: none yet */
	u32 groups; /* kept and reported */
};

/* One datagram for who asked. -ENOBUFS. */
s64 netlink_reply(struct netlink_socket *n, const void *bytes, u32 len);
/* Answers to a request of NETLINK_ROUTE; -errno: that is the answer. */
s64 route_request(struct netlink_socket *n, const struct nlmsghdr *h);

#endif
