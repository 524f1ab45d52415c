/* SPDX-License-Identifier: ISC */
/*
 * Pipes: a ring of bytes in kin with one producer and one consumer at a time, each under its own
 * lock, so that a reader and a writer of two members move data in parallel without leaving their
 * VMs.
 */
#ifndef KERNEL_PIPE_PIPE_H
#define KERNEL_PIPE_PIPE_H

#include <stdatomic.h>

#include "kernel/kin/own.h"

#define PIPE_SIZE_DEFAULT 65536u
#define PIPE_SIZE_HARD (1u << 31)
#define PIPE_ATOMIC 4096u               /* PIPE_BUF */

enum { PIPE_READS = 1, PIPE_WRITES = 2 }; /* which ends a file is: file.priv[0] */

/*
 * A ring of bytes is one word, so that F_SETPIPE_SZ replaces it, length and all, by one store: the
 * address of its pages, and in the low bits the power of two that their number is. Byte number n of
 * the pipe lies at ring_base[n % ring_size].
 */
typedef u64 pipe_ring;
static inline char *ring_base(pipe_ring r)
{
	return (char *)(r & PAGE_MASK);
}
static inline u32 ring_size(pipe_ring r)
{
	return (u32)PAGE_SIZE << (r & (PAGE_SIZE - 1));
}

/*
 * A stream would wake its sleeping side for each page. So a sleeper may be patient: it is woken
 * for half a ring, and looks by itself after a while, at which it becomes impatient: woken for the
 * first byte, or page of room. skip and backoff are hints: how many sleeps to the next try.
 */
struct pipe_patience {
	_Atomic u32 impatient;          /* sleepers; one that is killed stays counted: more wakes */
	_Atomic u32 skip, backoff;
};

struct inode;
struct file;
struct pipe_packets;

struct pipe {
	KIN_LOCK(lock, PIPE);          /* readers, writers, opens, intent; before the queues' locks */
	_Atomic u32 readers, writers;   /* open file descriptions by end */
	struct kin_ref ref;             /* OWN_PIPE: each file's pipe */
	struct pipe **fifo;             /* no lock: fifo_lock; where an inode has it, or NULL */
	_Atomic u32 reader_opens, writer_opens; /* ever; a FIFO's opener waits for the other */
	_Atomic pipe_ring ring;         /* changed with both transfer locks held; read without */
	/* write_lock to make it; NULL until a write in packet mode: pipe_packet.h */
	struct pipe_packets *packets;
	u64 ino;                        /* no lock: constant */
	s64 created_ns;                 /* no lock: constant */
	/* lock: a change of ends in progress; what the counts were, for recovery. file comes last. */
	struct {
		struct file *file;
		u32 ends, readers, writers;
	} intent;
	struct kin_queue readable, writable;
	/* no lock: atomic; of those who sleep on readable, writable */
	struct pipe_patience reading, writing;

	/*
	 * Transfer locks. Held across copies from and to application memory, never across a sleep.
	 * Order: write_lock, read_lock. A dead owner left nothing half-done: bytes count once head or
	 * tail is stored. tail_seen and head_seen are what the other side's was when it was last
	 * looked at: as long as they do, its cache line is left alone.
	 */
	KIN_LOCK(write_lock, PIPE_WRITE) __attribute__((aligned(64)));
	_Atomic u32 last_writer;        /* member; a hint for spinning */
	_Atomic u64 head;               /* bytes ever written; write_lock to store */
	u64 tail_seen;                  /* write_lock */
	KIN_LOCK(read_lock, PIPE_READ) __attribute__((aligned(64)));
	_Atomic u32 last_reader;
	_Atomic u64 tail;               /* bytes ever read; read_lock to store */
	u64 head_seen;                  /* read_lock */
	_Atomic u32 last_take;          /* bytes of the last read; a hint */
} __attribute__((aligned(64)));

struct iovec;
s64 pipe_readv(struct pipe *p, const struct iovec *iov, u32 n, bool nonblock);
s64 pipe_writev(struct pipe *p, const struct iovec *iov, u32 n, bool nonblock);
/* The same in packet mode: each read gets the bytes of one write, of a page at most, or less. */
s64 pipe_write_packets(struct pipe *p, const struct iovec *iov, u32 n, bool nonblock);
/*
 * Copies up to len bytes that from holds to the end of to, which is another pipe; they stay in
 * from. Never sleeps: 0: nothing there, or no room. -EPIPE, with the signal.
 */
s64 pipe_tee(struct pipe *from, struct pipe *to, size_t len);
struct pipe *pipe_new(void);            /* in hand, no ends yet; NULL: no memory */
/* f is these ends of p from now on; done again after a death in the middle it does no harm. */
void pipe_set_ends(struct pipe *p, struct file *f, u32 ends);
/* A file is no end of its pipe any more: counts, wakes. */
void pipe_leave(struct pipe *p, struct file *f);
u32 pipe_poll(struct pipe *p, u32 ends, bool hang_up_known);
s64 pipe_resize(struct pipe *p, u64 size);
u64 pipe_size_round(u64 size); /* to what a pipe may have; 0: none has as much */

static inline u32 pipe_size(struct pipe *p)
{
	return ring_size(atomic_load_explicit(&p->ring, memory_order_relaxed));
}

/* ---- pipe_wait.c */
u64 pipe_bytes(struct pipe *p);
u64 pipe_room(struct pipe *p);
/* Spins, then sleeps: 0: there may be bytes, or need bytes of room; -ERESTARTSYS. */
s64 pipe_wait(struct pipe *p, bool writes, u64 need);
/* After head was stored. stops: the writer is about to wait, whoever reads should go on. */
void pipe_wake_readers(struct pipe *p, bool stops);
/* After tail was stored. */
void pipe_wake_writers(struct pipe *p);

/* ---- pipe_file.c. pipe_fcntl: kernel/fd/fd_hooks.h; fifo_open: kernel/vfs/vfs_hooks.h. */
/* A pair; [0] reads, [1] writes. */
int pipe_create(struct file *pair[2], u32 flags);

#endif
