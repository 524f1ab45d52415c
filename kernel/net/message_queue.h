/* SPDX-License-Identifier: ISC */
/*
 * Queues of messages in kin: what a socket has received and nobody has read. A datagram is one
 * message; a stream is a sequence of messages whose boundaries the reader ignores unless ancillary
 * data sits on them.
 *
 * Two locks. lock protects list and counts, and is held for a few stores. read_lock is the
 * reader's: it is held across copies to application memory (never across a sleep), so that the
 * first message stays where it is meanwhile. Order: read_lock, the family's lock, lock, locks of
 * wait queues.
 *
 * Death. The pointers to messages and to their files are slots of own.h; last and the counts are
 * made anew when lock is recovered, which whoever recovers read_lock sees to: readers and pollers
 * look at the counts without lock. Bytes count as read once offset is stored.
 */
#ifndef KERNEL_NET_MESSAGE_QUEUE_H
#define KERNEL_NET_MESSAGE_QUEUE_H

#include "kernel/net/net.h"

struct msg {
	struct msg *next;
	u32 size;        /* of the allocation: what the message costs its sender's buffer */
	u32 len, offset; /* bytes of data, and how many of them are read */
	u32 address_len;
	u32 urgent; /* TCP: its mark; read_lock */
	struct net_cred cred;
	struct passed_files *passed; /* or NULL */
	char bytes[];        /* address, then data */
};

struct msgq {
	KIN_LOCK(lock, MESSAGES);
	KIN_LOCK(read_lock, MESSAGES_READ);
	struct msg *head, *last;   /* lock; the first message stays while read_lock is held */
	_Atomic u32 count;
	_Atomic u32 closed;        /* nobody reads any more: append refuses */
	_Atomic u32 limit;         /* memory that a sender may fill; connections only */
	_Atomic u64 unread;        /* bytes of data */
	_Atomic u64 used;          /* sizes of the messages */
	_Atomic u64 arrived, left; /* messages and parts ever: edge triggers */
	_Atomic u32 last_writer, last_reader; /* members: hints for spinning */
	struct kin_queue readable, writable;
};

static inline char *msg_data(struct msg *m)
{
	return m->bytes + m->address_len;
}

/* len bytes of data and an address, held; the content is not cleared. NULL: no memory. */
struct msg *msg_alloc(u32 len, u32 address_len);
/* Frees a message that is held, or in hand; NULL: nothing. */
void msg_free(struct msg *m);
void msg_free_taken(struct msg *m);

void msgq_init(struct msgq *q);
/* False: closed, the message stays held. Wakes a reader. */
bool msgq_append(struct msgq *q, struct msg *m);
/* The same without the wake, for a caller that holds the family's lock. */
bool msgq_link(struct msgq *q, struct msg *m);
/*
 * Under read_lock: n more bytes of the first message are read; if all is read, or whole, it leaves
 * the queue and is returned, in hand.
 */
struct msg *msgq_consume(struct msgq *q, u32 n, bool whole);
void msgq_read_lock(struct msgq *q);
void msgq_read_unlock(struct msgq *q);
/* Closes the queue and frees what is in it; true: there was something. */
bool msgq_close(struct msgq *q);
void msgq_destroy(struct msgq *q);

#endif
