/* SPDX-License-Identifier: ISC */
/*
 * AF_INET and AF_INET6: TCP and UDP over the family's private loopback, 127.0.0.0/8 and ::1. There
 * is no packet and no host: a connection is the struct conn that AF_UNIX has, too (endpoint.h), a
 * datagram is a message in its receiver's queue. What is Internet here is names and ports, and the
 * rules by which programs see connections begin and end. Only for kernel/net; inet_proc.c's and
 * inet_ports_recover are for others.
 *
 * The port table (inet_port.c) lies in kin, under net_lock. A socket is in it from bind, connect or
 * accept until its last descriptor is closed, by whoever closes it or buries who had it.
 */
#ifndef KERNEL_NET_INET_H
#define KERNEL_NET_INET_H

#include <linux/in.h>

#include "kernel/net/endpoint.h"

enum { IPPROTO_ICMPV6 = 58 }; /* Linux leaves it to a header that clashes with libc's */
#define INET_PORT_FIRST 32768u /* net.ipv4.ip_local_port_range */
#define INET_PORT_LAST 60999u
#define INET_UNPRIVILEGED 1024u
#define LO_INDEX 1u /* the interface */
#define LO_HARDWARE 772u /* ARPHRD_LOOPBACK */
#define LO_QUEUE_LENGTH 1000u
#define INET_MTU 65536u
#define TCP_SEND_SIZE 16384u /* what SO_SNDBUF and SO_RCVBUF say at first, as on Linux */
#define TCP_RECEIVE_SIZE 131072u
#define TCP_SEND_CONNECTED 2626560u      /* and after a connection over its loopback */
#define TCP_SEND_ROOM (512u << 10)       /* what a sender may fill, beyond the receiver's buffer */
#define TCP_QUIET_NS (60 * NSEC_PER_SEC) /* TIME_WAIT */

/* An address of either kind, those of IPv4 as ::ffff:a.b.c.d. */
struct inet_name {
	u8 address[16];
	u16 port; /* of the host's byte order */
};

/* struct sockaddr_in and sockaddr_in6 */
struct inet_address4 {
	u16 family, port;
	u8 address[4], zero[8];
};
struct inet_address6 {
	u16 family, port;
	u32 flow;
	u8 address[16];
	u32 scope;
};

enum inet_flags {
	INET_ADDRESS_GIVEN = 1, /* by bind */
	INET_PORT_GIVEN = 2,
	INET_V6ONLY = 4,
	INET_CONNECTING = 8,  /* connect has not told yet how it went */
	INET_SEND_SIZED = 16, /* by SO_SNDBUF */
	INET_RECEIVE_SIZED = 32,
	INET_OUTSIDE = 64, /* its connection is one of the host's: host_socket.h */
	INET_KEPT = 128,   /* its socket of the host is with the keeper, too */
};

enum port_table { PORTS_TCP, PORTS_UDP, PORTS_UDPLITE, PORTS_ECHO, PORTS_ACCEPTED, PORT_TABLES };

#define INET_OPTIONS 56
struct inet_socket {
	struct endpoint e;
	struct inet_socket *chain, **chain_prev; /* net_lock: ports of one bucket, or NULL */
	u32 table;                               /* net_lock: enum port_table, if chain_prev */
	u32 uid;                                 /* constant: of who made it */
	_Atomic u32 flags;                       /* enum inet_flags */
	struct inet_name local, peer;            /* net_lock to change */
	struct endpoint *listener;               /* net_lock: whose list it waits in, a hint */
	struct conn *retired;                    /* slot: connections that it had before */
	_Atomic u64 options_set;                 /* bits of the rows of inet_option.c */
	_Atomic u32 option[INET_OPTIONS];        /* their values */
	char congestion[16];
	_Atomic u32 owner; /* F_SETOWN */
	_Atomic u32 host_hint; /* the handle of its socket of the host, in the member that made it */
	_Atomic u64 host;      /* the id of that, or 0; set before others know u, then only cleared */
};

struct tcp_conn {
	struct conn c;
	struct inet_name name[2];
	_Atomic u32 fin[2];                /* that end has said that it sends no more */
	_Atomic u32 reset;                 /* over for both */
	_Atomic u32 sends[2], receives[2]; /* sizes of buffers */
	struct conn *older[2];             /* slot: behind this one in that end's retired */
};

static inline struct inet_socket *inet_of(struct socket *s)
{
	return (struct inet_socket *)s;
}

static inline struct tcp_conn *tcp_conn(struct conn *c)
{
	return (struct tcp_conn *)c;
}

static inline bool inet_flag(struct inet_socket *u, u32 flag)
{
	return atomic_load(&u->flags) & flag;
}

/* States of TCP, with Linux's numbers. */
enum tcp_state {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_FIN_WAIT2 = 5,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
	TCP_LISTEN = 10
};

/* ---- inet_name.c */
extern const struct inet_name inet_any4, inet_any6, inet_loopback4, inet_loopback6;
bool inet_is4(const struct inet_name *n);
bool inet_is_any(const struct inet_name *n);
bool inet_same_address(const struct inet_name *a, const struct inet_name *b);
bool inet_same(const struct inet_name *a, const struct inet_name *b);
/* A struct sockaddr of the application for a socket of that family: 0, -EINVAL, -EAFNOSUPPORT. */
s64 inet_name_parse(struct inet_socket *u, const u8 *bytes, u32 len, struct inet_name *out);
/* The other way: its length. */
u32 inet_name_show(struct inet_socket *u, const struct inet_name *n, u8 *bytes);
/* Where packets to n go: the address, or -ENETUNREACH, -EACCES. */
s64 inet_route(struct inet_socket *u, struct inet_name *n);
bool inet_is_local(const struct inet_name *n);

/* ---- inet_port.c. All under net_lock, but inet_ports_new. */
s64 inet_ports_new(void);
void inet_ports_recover(void);
void port_enter(struct inet_socket *u, enum port_table table);
void port_leave(struct inet_socket *u);
/* u->local becomes that, a free port if its port is 0. -EADDRINUSE. */
s64 port_bind(struct inet_socket *u, const struct inet_name *n);
/* For a socket that connects to u->peer: a port if it has none. -EADDRNOTAVAIL. */
s64 port_connect(struct inet_socket *u);
/* May it listen where it is bound? */
s64 port_listen(struct inet_socket *u);
/* Who accepts connections to that name, or receives datagrams; of several, one by salt. */
struct inet_socket *port_listener(const struct inet_name *to, u64 salt);
struct inet_socket *port_receiver(enum port_table table, const struct inet_name *to,
								  const struct inet_name *from);
enum port_table port_table_of(const struct inet_socket *u);
/* The connection of u is over, and its port is not to be had for a while. */
void port_quiet(struct inet_socket *u, const struct inet_name *n, bool reusable);
struct inet_socket *port_first(enum port_table table, u32 bucket);
#define PORT_BUCKETS 1024u

/* ---- inet.c */
extern const struct net_ops inet_ops;
/* The options of an accepted socket are its listener's. */
void inet_inherit(struct inet_socket *u, const struct inet_socket *listener);
/* What SO_ERROR says, once. */
u32 inet_error_take(struct socket *s);
/* Under net_lock: u connects to that name, from an address that reaches it. */
void inet_peer_set(struct inet_socket *u, const struct inet_name *to);
/* Under net_lock: names that bind has not given are forgotten. */
void inet_unname(struct inet_socket *u);

/* ---- tcp.c */
s64 tcp_listen(struct inet_socket *u, u32 backlog);
s64 tcp_connect(struct inet_socket *u, const u8 *address, u32 len, bool nonblock);
s64 tcp_shutdown(struct inet_socket *u, u32 bits);
s64 tcp_send(struct inet_socket *u, struct net_message *m);
s64 tcp_receive(struct inet_socket *u, struct net_message *m);
u32 tcp_poll(struct inet_socket *u, struct poll_table *pt);
void tcp_release(struct inet_socket *u);
void tcp_limits(struct conn *c);
/* What u, that end or its listener, was told to have for buffers. */
void tcp_sizes(struct conn *c, u32 end, struct inet_socket *u);
enum tcp_state tcp_state(struct inet_socket *u);

/* ---- udp.c */
s64 udp_connect(struct inet_socket *u, const u8 *address, u32 len);
s64 udp_shutdown(struct inet_socket *u, u32 bits);
s64 udp_send(struct inet_socket *u, struct net_message *m);
s64 udp_receive(struct inet_socket *u, struct net_message *m);
u32 udp_poll(struct inet_socket *u, struct poll_table *pt);

/* ---- inet_option.c */
s64 inet_option_get(struct socket *s, u32 level, u32 name, void *value, u32 size);
s64 inet_option_set(struct socket *s, u32 level, u32 name, const void *value, u32 size);

/* ---- inet_ioctl.c */
s64 inet_ioctl(struct socket *s, u32 cmd, u64 arg);

#endif
