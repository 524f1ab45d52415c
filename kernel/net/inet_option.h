/* SPDX-License-Identifier: ISC */
/*
 * Options of IP, IPv6 and TCP that are a number: one table (inet_option.c) says what each may be.
 * Most are kept and reported only, because there is no packet to which they could matter.
 */
#ifndef KERNEL_NET_INET_OPTION_H
#define KERNEL_NET_INET_OPTION_H

#include "kernel/net/inet.h"

/* Linux's headers leave these to libc, or name them where the numbers of IPv4 would clash. */
enum {
	SOL_SOCKET_LEVEL = 1,
	SCM_TIMESTAMP_ = 29,
	SCM_TIMESTAMPNS_ = 35,
	IPV6_UNICAST_HOPS_ = 16,
	IPV6_V6ONLY_ = 26,
	IPV6_RECVPKTINFO_ = 49,
	IPV6_PKTINFO_ = 50,
	IPV6_RECVHOPLIMIT_ = 51,
	IPV6_HOPLIMIT_ = 52,
	IPV6_RECVTCLASS_ = 66,
	IPV6_TCLASS_ = 67,
};

/* The value of an option of the table. */
s32 inet_option(struct inet_socket *u, u32 level, u32 name);
/* The option of row i, if it has been set. */
bool inet_option_nth(struct inet_socket *u, u32 i, u32 *level, u32 *name, s32 *value);
/* What a packet of u says: the hops that it may take, and its class of service. */
s32 inet_hops(struct inet_socket *u, bool four);
s32 inet_class(struct inet_socket *u, bool four);
/* Ancillary data of a send. */
s64 inet_control(struct socket *s, struct net_message *m, s32 level, s32 type, const void *data,
				 u64 bytes);

#endif
