/* SPDX-License-Identifier: ISC */
/*
 * Packets in a pipe (O_DIRECT): where in the stream of its bytes those of one write begin and
 * end. A ring of such notes, which the writer adds to and the reader takes from, each under its
 * own transfer lock.
 *
 * Death: a note is there before the store of head that makes its bytes count, and is taken after
 * the store of tail that passed them. So a writer may leave a note of bytes that are none yet: it
 * begins where head is, no reader looks at it, and the next writer drops it first. A reader may
 * leave one of bytes that are gone: it ends where tail is at the latest, and the next reader
 * drops it.
 */
#ifndef KERNEL_PIPE_PIPE_PACKET_H
#define KERNEL_PIPE_PIPE_PACKET_H

#include "kernel/pipe/pipe.h"

#define PACKETS_MAX 255

struct packet {
	u64 start, end; /* numbers of bytes of the pipe, [start, end) */
};
struct pipe_packets {
	_Atomic u32 head, tail; /* notes ever added, write_lock; and taken, read_lock */
	u64 reserved;
	struct packet packet[PACKETS_MAX];
};

static inline struct packet *packet_at(struct pipe_packets *k, u32 index)
{
	return &k->packet[index % PACKETS_MAX];
}

/* As on Linux a packet takes a page, however short it is: may there be one more? */
static inline bool packets_full(struct pipe *p)
{
	struct pipe_packets *k = observe(&p->packets);

	return k && atomic_load(&k->head) - atomic_load(&k->tail) >=
					MIN(pipe_size(p) / PIPE_ATOMIC, (u32)PACKETS_MAX);
}

/* write_lock, before head changes: what a dead writer noted. */
static inline void packets_settle_head(struct pipe *p, u64 head)
{
	struct pipe_packets *k = p->packets;

	if (k && k->head != k->tail && packet_at(k, k->head - 1)->end > head)
		atomic_store(&k->head, k->head - 1);
}

/* write_lock: bytes from head on are a packet, once head is stored. */
static inline void packet_add(struct pipe *p, u64 head, u64 n)
{
	struct pipe_packets *k = p->packets;

	*packet_at(k, k->head) = (struct packet){head, head + n};
	atomic_store(&k->head, k->head + 1);
}

/*
 * write_lock: as on Linux a short packet goes to the bytes before it, if they are none and have not
 * been read, and the page that they began has room.
 */
static inline bool packet_merges(struct pipe *p, u64 head, u64 n)
{
	struct pipe_packets *k = p->packets;
	u64 bytes = head - (k->head ? packet_at(k, k->head - 1)->end : 0);
	u64 begun = bytes & (PIPE_ATOMIC - 1);

	return begun && n < PIPE_ATOMIC && begun + n <= PIPE_ATOMIC && atomic_load(&p->tail) != head;
}

/* read_lock: the next packet of which bytes are there, as head was seen; NULL: none. */
static inline struct packet *packet_next(struct pipe *p, u64 tail, u64 head)
{
	struct pipe_packets *k = observe(&p->packets);

	if (!k)
		return NULL;
	while (k->tail != atomic_load(&k->head) && packet_at(k, k->tail)->end <= tail)
		atomic_store(&k->tail, k->tail + 1);
	if (k->tail == atomic_load(&k->head) || packet_at(k, k->tail)->start >= head)
		return NULL;
	return packet_at(k, k->tail);
}

/* read_lock, after tail was stored. */
static inline void packet_taken(struct pipe *p)
{
	atomic_store(&p->packets->tail, p->packets->tail + 1);
}

#endif
