/* SPDX-License-Identifier: ISC */
/*
 * The network of a target: a namespace of this process alone, in which there is nothing but
 * loopback and what the peers here put there. A peer stands for everybody whom a member can reach
 * or who reaches it: it listens on NET_PEER_PORT (TCP and UDP), connects, speaks, resets. All
 * sockets are non-blocking, and none outlives an input.
 */
#ifndef TESTS_FUZZ_NET_WORLD_H
#define TESTS_FUZZ_NET_WORLD_H

#include "input.h"
#include "monitor/core/grants.h"

#define NET_PEER_PORT 20000
#define NET_PUBLISHED_PORT 20001 /* of IPv4; the next one is of IPv6 */
#define NET_PUBLISHED 2
#define NET_MEMBER_PORT 20010 /* the first of those that members like to have */
#define NET_MEMBER_PORTS 4

/* What a byte of the input grants. */
enum net_grants { NET_SOCKETS = 1, NET_PUBLISH = 2 };

/*
 * Once, before there is a thread. False: this host gives no namespace, which was said on stderr;
 * then nothing may be granted.
 */
bool net_namespace_enter(void);
/* The same, and the peers and the published ports are there. */
bool net_world_make(void);
void net_world_grant(struct family *f, u8 grants);
void net_world_reset(void);            /* before each input: no peer speaks, nobody waits */
void net_world_step(struct input *in); /* what somebody outside of the family does */
int net_world_connected(void);         /* a new connection to the peer, or -1 */
/* A struct sockaddr, nearly right more often than not: its length. */
u32 net_world_address(struct input *in, u8 *to);

#endif
