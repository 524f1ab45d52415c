/* SPDX-License-Identifier: ISC */
/*
 * The data path of pipes. The writer copies into the ring and then stores head, the reader copies
 * out and then stores tail, in steps, so that both copy at the same time; neither leaves the VM
 * unless it must sleep or the other one does. kernel/pipe/pipe_wait.c has the waiting and waking.
 *
 * As on Linux, a full pipe takes more once a page of it is free, for poll as well as for sleeping
 * writers; writes up to PIPE_ATOMIC are never torn.
 */
#include <asm/errno.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/eventpoll.h>
#include <linux/uio.h>

#include "kernel/arch/arch.h"
#include "kernel/fd/iov.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"
#include "kernel/pipe/pipe.h"
#include "kernel/pipe/pipe_packet.h"
#include "kernel/task/cred.h"
#include "kernel/task/thread.h"
#include "kernel/task/tunables.h"

#define STEP 16384u         /* the other side may use what was moved after this much */
#define WRITER_LOOKS 300    /* at a writer in the middle of a copy: a few microseconds */

static size_t ring_part(struct iov_cursor *c, char *kin, size_t n, bool out)
{
	return out ? iov_copy_out(c, kin, n) : iov_copy_in(c, kin, n);
}

/* n bytes from number start on, in at most two pieces of the ring. Bytes copied. */
static size_t ring_copy(pipe_ring r, u64 start, struct iov_cursor *c, size_t n, bool out)
{
	u32 size = ring_size(r), at = start & (size - 1);
	size_t first = MIN(n, size - at);
	size_t failed = ring_part(c, ring_base(r) + at, first, out);

	if (failed)
		return first - failed;
	return n - (n > first ? ring_part(c, ring_base(r), n - first, out) : 0);
}

/*
 * Under read_lock: bytes of the packet that begins at tail; what the caller has no room for is
 * gone. It has read enough then.
 */
static size_t take_packet(struct pipe *p, struct iov_cursor *c, const struct packet *k,
						  bool *fault)
{
	size_t n = MIN(c->left, k->end - k->start);
	size_t got = ring_copy(atomic_load(&p->ring), k->start, c, n, true);

	*fault = got < n;
	if (*fault)
		return 0;
	publish(&p->tail, k->end);
	packet_taken(p);
	c->left = 0;
	return got;
}

/*
 * Under read_lock: bytes moved, in steps, until there are no more, or one ring of them, or a packet
 * was read. *fault: the application's memory ended.
 */
static size_t take_steps(struct pipe *p, struct iov_cursor *c, bool *fault)
{
	u64 tail = atomic_load_explicit(&p->tail, memory_order_relaxed);
	pipe_ring ring = atomic_load_explicit(&p->ring, memory_order_relaxed);
	size_t done = 0;

	while (c->left && done < ring_size(ring) && !*fault) {
		if (p->head_seen == tail)
			p->head_seen = observe(&p->head);
		size_t n = MIN(MIN(c->left, p->head_seen - tail), STEP);
		if (!n)
			break;
		const struct packet *k = packet_next(p, tail, p->head_seen);
		if (k && k->start <= tail)
			return done + take_packet(p, c, k, fault);
		if (k)
			n = MIN(n, k->start - tail);
		size_t got = ring_copy(ring, tail, c, n, true);
		tail += got;
		done += got;
		*fault = got < n;
		publish(&p->tail, tail);
	}
	return done;
}

/* Takes bytes if there are any: count, 0: empty, -EFAULT. */
static s64 pipe_take(struct pipe *p, struct iov_cursor *c)
{
	bool fault = false;

	kin_lock_recover(&p->read_lock, kin_recover_whole, NULL);
	size_t done = take_steps(p, c, &fault);
	if (done) {
		atomic_store_explicit(&p->last_reader, BOOT_INFO->member, memory_order_relaxed);
		atomic_store_explicit(&p->last_take, done, memory_order_relaxed);
	}
	kin_unlock(&p->read_lock);
	if (done == 0)
		return fault ? -EFAULT : 0;
	pipe_wake_writers(p);
	if (atomic_load(&p->readable.count) && pipe_bytes(p))
		queue_pass_on(&p->readable, 1);
	return done;
}

/*
 * The pipe is empty, but is somebody writing just now? As on Linux, whose pipes have one lock, a
 * read that meets a write sees all of it that fits.
 */
static bool writer_goes_on(struct pipe *p)
{
	for (u32 i = 0; i < WRITER_LOOKS; i++) {
		if (pipe_bytes(p))
			return true;
		if (atomic_load(&p->write_lock.word) == 0)
			return pipe_bytes(p) != 0;
		cpu_relax();
	}
	kin_lock_recover(&p->write_lock, kin_recover_whole, NULL);
	kin_unlock(&p->write_lock);
	return pipe_bytes(p) != 0;
}

s64 pipe_readv(struct pipe *p, const struct iovec *iov, u32 n, bool nonblock)
{
	struct iov_cursor c = iov_start(iov, n);
	s64 total = 0;

	if (c.left == 0)
		return 0;
	for (;;) {
		bool ended = atomic_load(&p->writers) == 0;
		s64 r = pipe_take(p, &c);

		if (r < 0)
			return total ? total : r;
		total += r;
		if (c.left == 0 || total >= pipe_size(p))
			return total;
		if (total && !writer_goes_on(p))
			return total;
		if (total)
			continue;
		if (ended)
			return 0;
		if (nonblock)
			return -EAGAIN;
		r = pipe_wait(p, false, 1);
		if (r)
			return r;
	}
}

/*
 * Under write_lock: bytes moved, in steps, as long as there is room (need for the first step, which
 * is whole or nothing), and one ring of them at most.
 */
static size_t put_steps(struct pipe *p, struct iov_cursor *c, u64 need, bool *fault)
{
	u64 head = atomic_load_explicit(&p->head, memory_order_relaxed);
	pipe_ring ring = atomic_load_explicit(&p->ring, memory_order_relaxed);
	u32 size = ring_size(ring);
	size_t done = 0;

	packets_settle_head(p, head);
	while (c->left && done < size && !*fault) {
		if (size - (head - p->tail_seen) < MAX(need, (u64)MIN(c->left, STEP)))
			p->tail_seen = observe(&p->tail);
		u64 room = size - (head - p->tail_seen);
		if (room < need)
			break;
		size_t n = MIN(MIN(c->left, room), STEP);
		size_t got = ring_copy(ring, head, c, n, false);
		*fault = got < n;
		if (got < need)
			break;
		head += got;
		done += got;
		need = 1;
		publish(&p->head, head);
	}
	return done;
}

/* Under write_lock: as many packets as there is room for, each of them whole. */
static size_t put_packets(struct pipe *p, struct iov_cursor *c, bool *fault)
{
	u64 head = atomic_load_explicit(&p->head, memory_order_relaxed);
	size_t done = 0;

	packets_settle_head(p, head);
	while (c->left) {
		size_t n = MIN(c->left, PIPE_ATOMIC);
		if (pipe_room(p) < n) /* or of packets */
			break;
		*fault = ring_copy(atomic_load(&p->ring), head, c, n, false) < n;
		if (*fault)
			break;
		if (!packet_merges(p, head, n))
			packet_add(p, head, n);
		head += n;
		done += n;
		publish(&p->head, head);
	}
	return done;
}

/* Puts bytes if at least need fit: count, 0: no room, -EFAULT. packet: as a packet. */
static s64 pipe_put(struct pipe *p, struct iov_cursor *c, u64 need, bool packet)
{
	bool fault = false;

	kin_lock_recover(&p->write_lock, kin_recover_whole, NULL);
	size_t done = packet ? put_packets(p, c, &fault) : put_steps(p, c, need, &fault);
	if (done)
		atomic_store_explicit(&p->last_writer, BOOT_INFO->member, memory_order_relaxed);
	kin_unlock(&p->write_lock);
	if (done == 0)
		return fault ? -EFAULT : 0;
	pipe_wake_readers(p, c->left != 0);
	if (c->left == 0 && atomic_load(&p->writable.count) && pipe_room(p) >= PIPE_ATOMIC)
		queue_pass_on(&p->writable, 1);
	return done;
}

static s64 pipe_broken(void)
{
	struct ksiginfo info = signal_info_user(SIGPIPE, SI_USER);

	signal_send_thread(current, SIGPIPE, &info);
	return -EPIPE;
}

static s64 pipe_write(struct pipe *p, const struct iovec *iov, u32 n, bool nonblock, bool packet)
{
	struct iov_cursor c = iov_start(iov, n);
	u64 need = c.left <= PIPE_ATOMIC ? c.left : packet ? PIPE_ATOMIC : 1;
	s64 total = 0;

	if (c.left == 0)
		return 0;
	for (;;) {
		s64 r = atomic_load(&p->readers) == 0 ? pipe_broken() : pipe_put(p, &c, need, packet);

		if (r < 0)
			return total ? total : r;
		total += r;
		if (c.left == 0)
			return total;
		if (r > 0)
			continue;
		if (nonblock)
			return total ? total : -EAGAIN;
		r = pipe_wait(p, true, need);
		if (r)
			return total ? total : r;
	}
}

s64 pipe_writev(struct pipe *p, const struct iovec *iov, u32 n, bool nonblock)
{
	return pipe_write(p, iov, n, nonblock, false);
}

s64 pipe_write_packets(struct pipe *p, const struct iovec *iov, u32 n, bool nonblock)
{
	struct pipe_packets *fresh = observe(&p->packets) ? NULL : own_pages(1, PAGES_ZERO);

	_Static_assert(sizeof(*fresh) <= PAGE_SIZE, "a page of notes");
	kin_lock_recover(&p->write_lock, kin_recover_whole, NULL);
	if (fresh && !p->packets) {
		own_give(&p->packets, fresh);
		fresh = NULL;
	}
	bool there = p->packets != NULL;
	kin_unlock(&p->write_lock);
	own_free(fresh);
	return there ? pipe_write(p, iov, n, nonblock, true) : -ENOMEM;
}

/* n bytes from number start on of one ring, to number at of another. */
static void ring_duplicate(pipe_ring to, u64 at, pipe_ring from, u64 start, u64 n)
{
	while (n) {
		u32 source = start & (ring_size(from) - 1), target = at & (ring_size(to) - 1);
		u64 part = MIN(n, MIN(ring_size(from) - source, ring_size(to) - target));

		memcpy(ring_base(to) + target, ring_base(from) + source, part);
		start += part;
		at += part;
		n -= part;
	}
}

/*
 * Two pipes are locked here. No deadlock: who holds a read_lock waits for no other lock, and who
 * holds a write_lock waits at most for a read_lock.
 */
s64 pipe_tee(struct pipe *from, struct pipe *to, size_t len)
{
	if (atomic_load(&to->readers) == 0)
		return pipe_broken();
	kin_lock_recover(&to->write_lock, kin_recover_whole, NULL);
	kin_lock_recover(&from->read_lock, kin_recover_whole, NULL);
	u64 head = atomic_load(&to->head), tail = atomic_load(&from->tail);
	u64 used = head - atomic_load(&to->tail), there = atomic_load(&from->head) - tail;
	u64 n = MIN(len, MIN(there, pipe_size(to) - used));
	ring_duplicate(to->ring, head, from->ring, tail, n);
	publish(&to->head, head + n);
	if (n)
		atomic_store_explicit(&to->last_writer, BOOT_INFO->member, memory_order_relaxed);
	kin_unlock(&from->read_lock);
	kin_unlock(&to->write_lock);
	if (n)
		pipe_wake_readers(to, false);
	return (s64)n;
}

u32 pipe_poll(struct pipe *p, u32 ends, bool hang_up_known)
{
	u32 mask = 0;

	if (ends & PIPE_READS) {
		if (atomic_load(&p->writers) == 0 && hang_up_known)
			mask |= EPOLLHUP;
		if (pipe_bytes(p))
			mask |= EPOLLIN | EPOLLRDNORM;
	}
	if (ends & PIPE_WRITES) {
		if (pipe_room(p) >= PIPE_ATOMIC)
			mask |= EPOLLOUT | EPOLLWRNORM;
		if (atomic_load(&p->readers) == 0)
			mask |= EPOLLERR;
	}
	return mask;
}

/* size: a power of two of pages. In hand, as the word that is to say so; 0: no memory. */
static pipe_ring ring_new(u32 size)
{
	char *base = own_pages(size / PAGE_SIZE, PAGES_RAW);

	return base ? (u64)base | (u32)__builtin_ctz(size / PAGE_SIZE) : 0;
}

/*
 * The bytes in the old ring move to the new one; both ends hold still. The pages of the old one, in
 * hand.
 */
static char *ring_move(struct pipe *p, pipe_ring to)
{
	u64 tail = atomic_load(&p->tail), n = atomic_load(&p->head) - tail;

	ring_duplicate(to, tail, p->ring, tail, n);
	/* An older sight of tail could be further behind head than the new ring is long. */
	p->tail_seen = tail;
	return own_exchange_as((u64 *)&p->ring, ring_base(to), to);
}

u64 pipe_size_round(u64 size)
{
	u64 rounded = PAGE_SIZE;

	if (size > PIPE_SIZE_HARD)
		return 0;
	while (rounded < size)
		rounded *= 2;
	return rounded;
}

s64 pipe_resize(struct pipe *p, u64 size)
{
	u64 rounded = pipe_size_round(size);

	if (!rounded)
		return -EINVAL;
	if (rounded > tunable_get(TUNE_PIPE_SIZE) && !cred_capable(CAP_SYS_RESOURCE))
		return -EPERM;
	char *old;
	pipe_ring r = ring_new((u32)rounded);
	if (!r)
		return -ENOMEM;
	kin_lock_recover(&p->write_lock, kin_recover_whole, NULL);
	kin_lock_recover(&p->read_lock, kin_recover_whole, NULL);
	bool busy = pipe_bytes(p) > rounded;
	old = busy ? ring_base(r) : ring_move(p, r);
	kin_unlock(&p->read_lock);
	kin_unlock(&p->write_lock);
	own_free(old);
	if (busy)
		return -EBUSY;
	queue_wake_all(&p->writable);
	return rounded;
}

struct pipe *pipe_new(void)
{
	struct pipe *p = own_new(OWN_PIPE, sizeof(*p));
	pipe_ring ring = p ? ring_new(PIPE_SIZE_DEFAULT) : 0;

	if (!ring) {
		own_free(p);
		return NULL;
	}
	ref_init(&p->ref, 1);
	own_give_as((u64 *)&p->ring, ring_base(ring), ring);
	p->ino = atomic_fetch_add(&ROOT->next_pipe_ino, 1) + 1;
	queue_init(&p->readable);
	queue_init(&p->writable);
	return p;
}

/* A FIFO's inode may have another pipe by now, or none. */
static void fifo_forget(struct pipe *p)
{
	kin_lock_recover(&ROOT->fifo_lock, kin_recover_whole, NULL);
	if (*p->fifo == p)
		publish(p->fifo, NULL);
	kin_unlock(&ROOT->fifo_lock);
}

static void pipe_release(void *what)
{
	struct pipe *p = what;

	if (p->fifo)
		fifo_forget(p);
	if (!p->ring) /* it was only begun */
		return;
	queue_destroy(&p->readable);
	queue_destroy(&p->writable);
	own_free(own_take(OWN_MEMORY, &p->packets, NULL));
	own_free(own_take_as(OWN_MEMORY, (u64 *)&p->ring));
}

const struct own_ops pipe_own_ops = {
	.name = "pipe",
	.ref_at = offsetof(struct pipe, ref),
	.release = pipe_release,
};
