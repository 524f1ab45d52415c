/* SPDX-License-Identifier: ISC */
/*
 * AF_UNIX in kin. Stream and seqpacket sockets that are connected share a struct conn, whose memory
 * lives until both ends have let go, so that the data path takes no lock but its queue's.
 * Everything that says who is connected or named is under one lock of the family; sections are
 * short. Only for kernel/net/unix*.c.
 *
 * Lock order: a queue's read_lock, unix_lock, a queue's lock, locks of wait queues and of the
 * allocator.
 *
 * Death. Changes under unix_lock are ordered so that one store decides; unix_recover (unix.c)
 * finishes connects that were cut in the middle, and makes back pointers and counts anew.
 * Sockets and connections have owners (kernel/kin/own.h). struct socket memory is never given back
 * to the allocator, only reused for sockets, so a stale pointer to one wakes somebody for nothing
 * at worst.
 */
#ifndef KERNEL_NET_UNIX_H
#define KERNEL_NET_UNIX_H

#include "kernel/net/message_queue.h"

#define UNIX_ADDRESS_MAX 110 /* sizeof(struct sockaddr_un) */
#define UNIX_PATH_MAX 108
#define UNIX_BUCKETS 256
#define UNIX_DGRAM_QUEUE 10 /* net.unix.max_dgram_qlen */

struct inode;

/* A struct sockaddr_un as getsockname gives it. len 2: unnamed. */
struct unix_address {
	u16 len;
	u8 bytes[UNIX_ADDRESS_MAX];
};

/* A connection. Index 0: the end that connected, 1: the one that accepted. */
struct conn {
	struct kin_ref ref;             /* OWN_CONN: the two sockets, or a listener's pending */
	u32 type;
	struct conn *next;              /* unix_lock: in a listener's pending; a slot */
	struct unix_socket *connecting; /* unix_lock: set while the connect is being made */
	_Atomic u32 error[2];           /* ECONNRESET to be told to that end */
	_Atomic u32 shut[2];            /* SHUT_*: what that end can no longer do */
	struct net_cred cred[2];
	struct unix_address address[2];
	struct msgq q[2]; /* what that end receives */
};

enum unix_state { UNIX_IDLE, UNIX_LISTENING, UNIX_CONNECTED, UNIX_CLOSED };

struct unix_socket {
	struct socket s;
	struct unix_socket *next, **prev; /* unix_lock: all in use; next: the spare ones as well */
	_Atomic u32 state;                /* unix_lock to change */
	/* unix_lock: address and inode are valid, it is in a bucket */
	u32 bound;
	struct unix_address address; /* constant once bound */
	struct unix_socket *chain;   /* unix_lock: bucket of names */
	struct inode *inode;         /* reference: bound in the file system */
	/* stream, seqpacket */
	struct conn *_Atomic conn; /* slot; set once, after end */
	u32 end;
	struct conn *pending, *pending_last; /* unix_lock; slots */
	_Atomic u32 npending;
	u32 backlog;          /* unix_lock */
	struct net_cred cred; /* unix_lock: of who listens */
	/* datagram */
	struct unix_socket *_Atomic peer; /* unix_lock to change */
	_Atomic u32 followed;             /* it has been somebody's peer */
	_Atomic u32 peer_gone;            /* the next send says so */
	_Atomic u32 shut;                 /* SHUT_* */
	struct msgq in;                   /* datagrams; readable also for who waits to accept */
};

struct unix_shared {
	KIN_LOCK(lock, UNIX);
	/* lock */
	struct unix_socket *all;   /* in use */
	struct unix_socket *spare; /* slot, and so are the next of these */
	struct unix_socket *bucket[UNIX_BUCKETS];

	_Atomic u64 next_ino;
	_Atomic u32 next_name; /* autobind */
};

static inline struct unix_socket *unix_of(struct socket *s)
{
	return (struct unix_socket *)s;
}

/* ---- unix.c */
struct unix_shared *unix_shared(void);
void unix_lock(void);
void unix_unlock(void);
void conn_connected(struct conn *c); /* under unix_lock: the rest of a connect */
struct conn *conn_create(u32 type); /* in hand; NULL: no memory */
/* One end lets go, for good: the other sees it. Then its share goes. May be done twice. */
void conn_leave(struct conn *c, u32 end, bool never_accepted);

/* ---- unix_name.c */
/* Linux's rules for an address: path or abstract. -EINVAL. */
s64 unix_address_parse(const u8 *bytes, u32 len, struct unix_address *out);
s64 unix_bind(struct socket *s, const u8 *address, u32 len);
/* The inode of a path name (a reference), NULL for an abstract one. */
s64 unix_resolve(const struct unix_address *a, struct inode **out);
/* Under unix_lock. */
struct unix_socket *unix_find(const struct unix_address *a, struct inode *ino);
void unix_unname(struct unix_socket *u);

/* ---- unix_connect.c */
s64 unix_pair(struct socket *a, struct socket *b);
s64 unix_listen(struct socket *s, u32 backlog);
s64 unix_connect(struct socket *s, const u8 *address, u32 len, bool nonblock);
s64 unix_accept(struct socket *s, bool nonblock, struct socket *fresh);

/* ---- unix_stream.c */
s64 unix_stream_send(struct unix_socket *u, struct net_message *m);
s64 unix_stream_receive(struct unix_socket *u, struct net_message *m);
bool conn_readable(struct conn *c, u32 end);
/* Room for what that end sends, as poll says it. */
bool conn_writable(struct conn *c, u32 end);

/* ---- unix_dgram.c */
s64 unix_dgram_send(struct unix_socket *u, struct net_message *m);
s64 unix_dgram_receive(struct unix_socket *u, struct net_message *m);
s64 unix_packet_send(struct unix_socket *u, struct net_message *m);
s64 unix_packet_receive(struct unix_socket *u, struct net_message *m);
bool unix_dgram_writable(struct unix_socket *u, struct poll_table *pt);
/* Moves m's files and credentials into msg. */
void msg_attach(struct msg *msg, struct net_message *m);
/*
 * The other way: of a message that leaves its queue (takes the files), or of one that stays (more
 * references).
 */
void msg_detach(struct msg *msg, struct net_message *m, bool stays);

/* ---- unix_proc.c: /proc/net/unix */
struct text;
struct proc_target;
s64 show_net_unix(struct text *t, const struct proc_target *p);

#endif
