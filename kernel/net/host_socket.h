/* SPDX-License-Identifier: ISC */
/*
 * Sockets of the host behind those of AF_INET and AF_INET6, in families that were given a network
 * namespace (KIN->sockets) or published ports. Only for kernel/net; what processes ask at fork,
 * exec and exit: host_share.h.
 *
 * An inet_socket has at most one, named by its id (inet_socket.host), which nothing else in the
 * family ever has. It is open in the members that use it, each under a handle of its own
 * (host_handle.c): made there, inherited by a clone, or fetched from the keeper
 * (kernel/vfs/keeper.h). The host itself counts who has it: it is closed, and its peer told, when
 * the last member has let go of it, however that may have ended.
 */
#ifndef KERNEL_NET_HOST_SOCKET_H
#define KERNEL_NET_HOST_SOCKET_H

#include "kernel/net/inet.h"

/* ---- host_handle.c */
struct host_handle;
/* May a socket of the family be one of the host's as well? */
bool host_sockets(void);
/* u gets that socket of the host, open here as handle: 0, or -errno and it is closed. */
s64 host_give(struct inet_socket *u, s64 handle);
/* A new one for u. 0 or -errno. */
s64 host_make(struct inet_socket *u);
/* u has none any more; where this member has it open it is closed. May be done twice. */
void host_release(struct inet_socket *u);
/* u's, or that of a published port, in this member; NULL: there is none, or it is lost. */
struct host_handle *host_find(struct inet_socket *u);
struct host_handle *host_published(u32 index);
int host_number(const struct host_handle *h);
bool host_is_of(const struct host_handle *h, const struct inet_socket *u);
/*
 * What it is ready for (EPOLL*), of events. tell: from now on its socket's queues hear of it. A
 * published one has the queues of who listens on its port.
 */
u32 host_poll(struct host_handle *h, u32 events, bool tell);
/* An operation has shown that none of events is there; or has used what was there. */
void host_not_ready(struct host_handle *h, u32 events);
void host_used(struct host_handle *h, u32 events);
/* What was known is over: it is about to connect. */
void host_forget(struct host_handle *h);
/* A stream has given all it had. */
void host_drained(struct host_handle *h);
/* As far as is known, none of events is there: what comes ends a sleep, so a look can be saved. */
bool host_quiet(const struct host_handle *h, u32 events);
/* Its socket's queues hear of events from now on: 0 or -errno. */
s64 host_watch(struct host_handle *h);
/* A thread sleeps until something comes to it. */
void host_sleep_begin(struct host_handle *h);
void host_sleep_end(struct host_handle *h);
/* As far as is known, without a look: is any of events there? Of one that is watched. */
bool host_hopeful(const struct host_handle *h, u32 events);

/* ---- host_name.c */
/* Where a socket's own packets go, or what came from there: struct sockaddr of the host's. */
u32 host_address(const struct inet_socket *u, const struct inet_name *n, u8 *bytes);
void host_address_read(const u8 *bytes, struct inet_name *n);
/* Its names on the host. -errno. */
s64 host_name(struct inet_socket *u, bool peer, struct inet_name *out);
/* The host's socket gets the name: with port 0 *n has the one that the host chose. */
s64 host_bind(struct inet_socket *u, struct inet_name *n);

/* ---- host_message.c: on u's socket of the host, which never waits */
s64 host_send(struct inet_socket *u, struct host_handle *h, struct net_message *m,
			  const struct inet_name *to);
s64 host_receive(struct inet_socket *u, struct host_handle *h, struct net_message *m);
/* Until one of events is there, the deadline, or a signal; other's: of a queue of u. */
s64 host_wait(struct inet_socket *u, struct host_handle *h, u32 events, u64 deadline_ns);

/* ---- host_tcp.c: a connection that is the host's (INET_OUTSIDE), and listeners of both kinds */
bool host_connects(struct inet_socket *u, const struct inet_name *to);
s64 host_tcp_connect(struct inet_socket *u, const struct inet_name *to, bool nonblock);
s64 host_tcp_unconnect(struct inet_socket *u);
s64 host_tcp_send(struct inet_socket *u, struct net_message *m);
s64 host_tcp_receive(struct inet_socket *u, struct net_message *m);
u32 host_tcp_poll(struct inet_socket *u, struct poll_table *pt);
s64 host_listen(struct inet_socket *u, u32 backlog);
s64 host_accept(struct inet_socket *u, bool nonblock, struct inet_socket *fresh);
u32 host_listener_poll(struct inet_socket *u, bool tell);
u32 host_error(struct inet_socket *u);

/* ---- host_udp.c */
s64 host_autobind(struct inet_socket *u); /* to a port that the host chooses */
s64 host_udp_send(struct inet_socket *u, struct net_message *m, const struct inet_name *to);
s64 host_udp_connect(struct inet_socket *u, const struct inet_name *to);

/* ---- host_relay.c: published UDP ports, in whatever mode */
bool host_relays(const struct inet_socket *u); /* is there one for its port? */
/* A datagram: its length; *from: the client. -EAGAIN. */
s64 host_relay_receive(struct inet_socket *u, struct net_message *m, struct inet_name *from);
/*
 * Does what is sent there go through one? There is no other way (local false), or it is a client,
 * and no socket of the family.
 */
bool host_relay_leads(struct inet_socket *u, const struct inet_name *to, bool local);
s64 host_relay_send(struct inet_socket *u, struct net_message *m, const struct inet_name *to);
u32 host_relay_poll(struct inet_socket *u, bool tell);
/* Until something comes to u, that way or through kin or (h, if not NULL) through the host. */
s64 host_relay_wait(struct inet_socket *u, struct host_handle *h, u64 deadline_ns);

/* ---- host_option.c */
/* An option was set: so it is on the host, where it means something there. */
void host_option_told(struct inet_socket *u, u32 level, u32 name, const void *value, u32 size);
/* Those that u has already, for a socket of the host that is new to it. */
void host_options_tell(struct inet_socket *u);
/* What only the host knows; -ENOPROTOOPT: it is not asked. */
s64 host_option_get(struct inet_socket *u, u32 level, u32 name, void *value, u32 size);

static inline bool is_outside(struct inet_socket *u)
{
	return inet_flag(u, INET_OUTSIDE);
}

#endif
