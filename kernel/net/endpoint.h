/* SPDX-License-Identifier: ISC */
/*
 * What AF_UNIX and the internet families have in common: sockets that listen, connect and accept.
 * Both ends of a connection share a struct conn, whose memory lives until both have let go, so that
 * the data path (stream.c) takes no lock but its queue's. Everything that says who is connected or
 * named is under one lock, net_lock; sections are short. What differs between the kinds of
 * connections is one table of rules each. Only for kernel/net.
 *
 * Lock order: a queue's read_lock, net_lock, a queue's lock, locks of wait queues and of the
 * allocator.
 *
 * Death. Changes under net_lock are ordered so that one store decides; net_recover (endpoint.c)
 * finishes connects that were cut in the middle, and makes back pointers and counts anew. Sockets
 * and connections have owners (kernel/kin/own.h). The memory of a socket is never given back to the
 * allocator, only reused for sockets of the same family, so a stale pointer to one wakes somebody
 * for nothing at worst.
 */
#ifndef KERNEL_NET_ENDPOINT_H
#define KERNEL_NET_ENDPOINT_H

#include "kernel/net/message_queue.h"

#define UNIX_BUCKETS 256

struct endpoint;
struct unix_socket;

enum conn_kind { CONN_UNIX, CONN_TCP, CONN_KINDS };

/* A connection. Index 0: the end that connected, 1: the one that accepted. */
struct conn {
	struct kin_ref ref; /* OWN_CONN: the two sockets, or a listener's pending */
	u16 kind, type;
	struct conn *next;           /* net_lock: in a listener's pending; a slot */
	struct endpoint *connecting; /* net_lock: set while the connect is being made */
	_Atomic u32 waiting;         /* net_lock to change: the listener has no room for it yet */
	_Atomic u32 error[2];        /* to be told to that end */
	_Atomic u32 shut[2];         /* SHUT_*: what that end can no longer do */
	_Atomic u32 urgent[2];       /* enum urgent_state of what that end receives */
	_Atomic u32 owner[2];        /* F_SETOWN: who is sent SIGURG then */
	struct msgq q[2];            /* what that end receives */
	/* The family's own part follows in its own struct, which begins with this one. */
};

enum urgent_state { URGENT_NONE, URGENT_THERE, URGENT_READ };

/* What the kinds of connections do differently. */
struct conn_rules {
	/* That end may send no more: -errno, with the signal that belongs to it. */
	s64 (*send_refused)(struct conn *c, u32 end, u32 flags);
	/* That end has sent n bytes that nobody will read: as send has to answer. */
	s64 (*send_lost)(struct conn *c, u32 end, s64 n);
	/* That end reads and finds no data. *over: there will be none; 0 or -errno. */
	s64 (*receive_end)(struct conn *c, u32 end, bool *over);
	/* It lets go, for good; refused: its listener never accepted it. May be done twice. */
	void (*leave)(struct conn *c, u32 end, bool refused);
	/* Under net_lock: a listener has room for it; fresh is the end that accepts it. */
	void (*established)(struct conn *c);
	void (*accepted)(struct conn *c, struct endpoint *fresh);
	bool truncates; /* MSG_TRUNC: bytes are read to be forgotten */
};
extern const struct conn_rules unix_conn_rules, tcp_conn_rules;
const struct conn_rules *conn_rules(const struct conn *c);

enum endpoint_state { ENDPOINT_IDLE, ENDPOINT_LISTENING, ENDPOINT_CONNECTED, ENDPOINT_CLOSED };

/* A socket. The family's own part follows in its own struct, which begins with this one. */
struct endpoint {
	struct socket s;
	struct endpoint *next, **prev; /* net_lock: all in use; next: the spare ones as well */
	_Atomic u32 state;             /* net_lock to change */
	struct conn *_Atomic conn;     /* slot; set after end, and stays until the socket goes */
	u32 end;
	struct conn *pending, *pending_last; /* net_lock; slots: those that have room, then waiting */
	_Atomic u32 npending;                /* those that have room */
	u32 nwaiting;                        /* net_lock; the others */
	u32 backlog;                         /* net_lock */
	_Atomic u32 shut;                    /* SHUT_* */
	struct msgq in; /* datagrams; readable also for who waits to accept; kept when it is spare */
};

enum spare_kind { SPARE_UNIX, SPARE_INET, SPARE_NETLINK, SPARE_KINDS };

/* What /proc/net/snmp counts of the family's own loopback. */
enum net_count {
	COUNT_ACTIVE_OPENS,
	COUNT_PASSIVE_OPENS,
	COUNT_ATTEMPT_FAILS,
	COUNT_ESTAB_RESETS,
	COUNT_OUT_RESETS,
	COUNT_IN_DATAGRAMS,
	COUNT_NO_PORTS,
	COUNT_DATAGRAMS_LOST,
	COUNT_OUT_DATAGRAMS,
	NET_COUNTS,
};

#define RELAY_CLIENTS 256

struct net_shared {
	KIN_LOCK(lock, SOCKETS);
	/* lock */
	struct endpoint *all;                /* in use */
	struct endpoint *spare[SPARE_KINDS]; /* slots, and so are the next of these */
	struct unix_socket *bucket[UNIX_BUCKETS];

	_Atomic u64 next_ino, next_host; /* next_host: ids of sockets of the host */
	_Atomic u32 next_name; /* autobind */
	_Atomic u64 counts[NET_COUNTS]; /* enum net_count */
	/* lock: clients that published UDP ports have heard of last, by their hash: host_relay.c */
	struct relay_client {
		u8 address[16];
		u16 port, inside;
	} clients[RELAY_CLIENTS];
};

static inline struct endpoint *endpoint_of(struct socket *s)
{
	return (struct endpoint *)s;
}

/* ---- endpoint.c */
struct net_shared *net_shared(void);
static inline void net_count(enum net_count what)
{
	atomic_fetch_add_explicit(&net_shared()->counts[what], 1, memory_order_relaxed);
}
void net_lock(void);
void net_unlock(void);
/* A socket of size bytes, in hand, among all; NULL: no memory. And the way back, for own_ops. */
struct endpoint *endpoint_new(enum spare_kind kind, size_t size, u32 family, u32 type,
							  u32 protocol);
void endpoint_free(struct endpoint *e, enum spare_kind kind, size_t size);
/* In hand, zeroed beyond its queues, which hold limit each; NULL: no memory. */
struct conn *conn_create(enum conn_kind kind, u32 type, size_t size, u32 limit);
/* Under net_lock. The store that links c decides; recovery does the rest. */
void conn_link(struct endpoint *e, struct endpoint *listener, struct conn *c);
/* Under net_lock: it leaves the list if it is there. For ref_drop. */
struct own_record *conn_unlink(struct endpoint *listener, struct conn *c);
/* For poll and connect: nobody waits any more. */
void conn_wake(struct conn *c);
s64 endpoint_accept(struct endpoint *e, bool nonblock, struct endpoint *fresh);
/* Under net_lock: is there room for more? Those that wait longest are established, and told. */
void pending_promote(struct endpoint *e);
/* Steps of a release: those that wait to be accepted; the connection. May be done twice. */
void pending_refuse(struct endpoint *e);
void endpoint_disconnect(struct endpoint *e);

/* ---- stream.c */
s64 stream_send(struct conn *c, u32 end, struct net_message *m);
/* low_water: as many bytes at least, if they are asked for. */
struct stream_wish {
	u32 low_water;
	bool one_sender;    /* bytes of one sender at a time */
	bool urgent_inline; /* the urgent byte is one of the stream */
};
s64 stream_receive(struct conn *c, u32 end, struct net_message *m, const struct stream_wish *wish);
bool conn_readable(struct conn *c, u32 end);
/* Room for what that end sends, as poll says it. */
bool conn_writable(struct conn *c, u32 end);

/* ---- urgent.c */
s64 urgent_send(struct conn *c, u32 end, struct net_message *m);
/* -EINVAL: there is none; -EAGAIN: it is on its way. */
s64 urgent_receive(struct endpoint *e, struct net_message *m);
s64 urgent_at_mark(struct endpoint *e, s32 *at);
void urgent_owner_set(struct endpoint *e, s32 pid);
void urgent_tell(s32 owner); /* by SIGURG; nobody, if it is not positive */

/* ---- packet.c: messages that keep their boundaries */
/* The first message of q, or -EAGAIN: nothing there. */
s64 packet_receive(struct msgq *q, struct net_message *m);
/* Moves m's files and credentials into msg. */
void msg_attach(struct msg *msg, struct net_message *m);
/*
 * The other way: of a message that leaves its queue (takes the files), or of one that stays (more
 * references).
 */
void msg_detach(struct msg *msg, struct net_message *m, bool stays);

#define POLL_READABLE (EPOLLIN | EPOLLRDNORM)
#define POLL_WRITABLE (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)

#endif
