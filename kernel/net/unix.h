/* SPDX-License-Identifier: ISC */
/*
 * AF_UNIX in kin: names, and what a connection or a datagram of this family carries beyond others.
 * Connections, locks and deaths: endpoint.h. Only for kernel/net/unix*.c.
 */
#ifndef KERNEL_NET_UNIX_H
#define KERNEL_NET_UNIX_H

#include "kernel/net/endpoint.h"

#define UNIX_ADDRESS_MAX 110 /* sizeof(struct sockaddr_un) */
#define UNIX_PATH_MAX 108
#define UNIX_DGRAM_QUEUE 10 /* net.unix.max_dgram_qlen */

struct inode;

/* A struct sockaddr_un as getsockname gives it. len 2: unnamed. */
struct unix_address {
	u16 len;
	u8 bytes[UNIX_ADDRESS_MAX];
};

struct unix_conn {
	struct conn c;
	struct net_cred cred[2];
	struct unix_address address[2];
};

struct unix_socket {
	struct endpoint e;
	/* net_lock: address and inode are valid, it is in a bucket */
	u32 bound;
	struct unix_address address; /* constant once bound */
	struct unix_socket *chain;   /* net_lock: bucket of names */
	struct inode *inode;         /* reference: bound in the file system */
	struct net_cred cred;        /* net_lock: of who listens */
	/* datagram */
	struct unix_socket *_Atomic peer; /* net_lock to change */
	_Atomic u32 followed;             /* it has been somebody's peer */
	_Atomic u32 peer_gone;            /* the next send says so */
	_Atomic u32 owner;                /* F_SETOWN, before there is a connection */
};

static inline struct unix_conn *unix_conn(struct conn *c)
{
	return (struct unix_conn *)c;
}

static inline struct unix_socket *unix_of(struct socket *s)
{
	return (struct unix_socket *)s;
}

/* ---- unix.c */
struct conn *unix_conn_create(u32 type); /* in hand; NULL: no memory */

/* ---- unix_name.c */
/* Linux's rules for an address: path or abstract. -EINVAL. */
s64 unix_address_parse(const u8 *bytes, u32 len, struct unix_address *out);
s64 unix_bind(struct socket *s, const u8 *address, u32 len);
/* The inode of a path name (a reference), NULL for an abstract one. */
s64 unix_resolve(const struct unix_address *a, struct inode **out);
/* Under net_lock. */
struct unix_socket *unix_find(const struct unix_address *a, struct inode *ino);
void unix_unname(struct unix_socket *u);

/* ---- unix_connect.c */
s64 unix_pair(struct socket *a, struct socket *b);
s64 unix_listen(struct socket *s, u32 backlog);
s64 unix_connect(struct socket *s, const u8 *address, u32 len, bool nonblock);
s64 unix_accept(struct socket *s, bool nonblock, struct socket *fresh);

/* ---- unix_dgram.c */
s64 unix_dgram_send(struct unix_socket *u, struct net_message *m);
s64 unix_dgram_receive(struct unix_socket *u, struct net_message *m);
s64 unix_packet_send(struct unix_socket *u, struct net_message *m);
s64 unix_packet_receive(struct unix_socket *u, struct net_message *m);
bool unix_dgram_writable(struct unix_socket *u, struct poll_table *pt);

/* ---- unix_proc.c: /proc/net/unix */
struct text;
struct proc_target;
s64 show_net_unix(struct text *t, const struct proc_target *p);

#endif
