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
#include "kernel/task/thread.h"

#define STEP 16384u         /* the other side may use what was moved after this much */
#define WRITER_LOOKS 300    /* at a writer in the middle of a copy: a few microseconds */

static size_t ring_part(struct iov_cursor *c, char *kin, size_t n, bool out)
{
	return out ? iov_copy_out(c, kin, n) : iov_copy_in(c, kin, n);
}

/* n bytes from number start on, in at most two pieces of the ring. Bytes copied. */
static size_t ring_copy(struct pipe_ring *r, u64 start, struct iov_cursor *c, size_t n, bool out)
{
	u32 at = (start - r->bias) & (r->size - 1);
	size_t first = MIN(n, r->size - at);
	size_t failed = ring_part(c, r->base + at, first, out);

	if (failed)
		return first - failed;
	return n - (n > first ? ring_part(c, r->base, n - first, out) : 0);
}

/*
 * Under read_lock: bytes moved, in steps, until there are no more, or one ring of them. *fault: the
 * application's memory ended.
 */
static size_t take_steps(struct pipe *p, struct iov_cursor *c, bool *fault)
{
	u64 tail = atomic_load_explicit(&p->tail, memory_order_relaxed);
	size_t done = 0;

	while (c->left && done < p->ring->size && !*fault) {
		if (p->head_seen == tail)
			p->head_seen = atomic_load_explicit(&p->head, memory_order_acquire);
		size_t n = MIN(MIN(c->left, p->head_seen - tail), STEP);
		if (!n)
			break;
		size_t got = ring_copy(p->ring, tail, c, n, true);
		tail += got;
		done += got;
		*fault = got < n;
		atomic_store_explicit(&p->tail, tail, memory_order_release);
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
		queue_wake(&p->readable, 1);
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
		if (c.left == 0 || total >= atomic_load(&p->size))
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
	u32 size = p->ring->size;
	size_t done = 0;

	while (c->left && done < size && !*fault) {
		if (size - (head - p->tail_seen) < MAX(need, (u64)MIN(c->left, STEP)))
			p->tail_seen = atomic_load_explicit(&p->tail, memory_order_acquire);
		u64 room = size - (head - p->tail_seen);
		if (room < need)
			break;
		size_t n = MIN(MIN(c->left, room), STEP);
		size_t got = ring_copy(p->ring, head, c, n, false);
		*fault = got < n;
		if (got < need)
			break;
		head += got;
		done += got;
		need = 1;
		atomic_store_explicit(&p->head, head, memory_order_release);
	}
	return done;
}

/* Puts bytes if at least need fit: count, 0: no room, -EFAULT. */
static s64 pipe_put(struct pipe *p, struct iov_cursor *c, u64 need)
{
	bool fault = false;

	kin_lock_recover(&p->write_lock, kin_recover_whole, NULL);
	size_t done = put_steps(p, c, need, &fault);
	if (done)
		atomic_store_explicit(&p->last_writer, BOOT_INFO->member, memory_order_relaxed);
	kin_unlock(&p->write_lock);
	if (done == 0)
		return fault ? -EFAULT : 0;
	pipe_wake_readers(p, c->left != 0);
	if (c->left == 0 && atomic_load(&p->writable.count) && pipe_room(p) >= PIPE_ATOMIC)
		queue_wake(&p->writable, 1);
	return done;
}

static s64 pipe_broken(void)
{
	struct ksiginfo info = signal_info_user(SIGPIPE, SI_USER);

	signal_send_thread(current, SIGPIPE, &info);
	return -EPIPE;
}

s64 pipe_writev(struct pipe *p, const struct iovec *iov, u32 n, bool nonblock)
{
	struct iov_cursor c = iov_start(iov, n);
	u64 need = c.left <= PIPE_ATOMIC ? c.left : 1;
	s64 total = 0;

	if (c.left == 0)
		return 0;
	for (;;) {
		s64 r = atomic_load(&p->readers) == 0 ? pipe_broken() : pipe_put(p, &c, need);

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

/* n bytes from number start on of one ring, to number at of another. */
static void ring_duplicate(struct pipe_ring *to, u64 at, struct pipe_ring *from, u64 start, u64 n)
{
	while (n) {
		u32 source = (start - from->bias) & (from->size - 1);
		u32 target = (at - to->bias) & (to->size - 1);
		u64 part = MIN(n, MIN(from->size - source, to->size - target));

		memcpy(to->base + target, from->base + source, part);
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
	u64 n = MIN(len, MIN(there, to->ring->size - used));
	ring_duplicate(to->ring, head, from->ring, tail, n);
	atomic_store_explicit(&to->head, head + n, memory_order_release);
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

static struct pipe_ring *ring_new(u32 size, u64 bias)
{
	struct pipe_ring *r = kin_alloc(sizeof(*r));

	if (!r)
		return NULL;
	r->base = kin_pages_alloc_raw(size / PAGE_SIZE);
	if (!r->base) {
		kin_free(r, sizeof(*r));
		return NULL;
	}
	r->bias = bias;
	r->size = size;
	return r;
}

static void ring_free(struct pipe_ring *r)
{
	kin_pages_free(r->base, r->size / PAGE_SIZE);
	kin_free(r, sizeof(*r));
}

/* The bytes in the old ring move to the new one; both ends hold still. */
static void ring_move(struct pipe *p, struct pipe_ring *to)
{
	struct pipe_ring *from = p->ring;
	u64 tail = atomic_load(&p->tail), n = atomic_load(&p->head) - tail;
	u32 at = (tail - from->bias) & (from->size - 1);
	u64 first = MIN(n, from->size - at);

	to->bias = tail;
	memcpy(to->base, from->base + at, first);
	memcpy(to->base + first, from->base, n - first);
	/* An older sight of tail could be further behind head than the new ring is long. */
	p->tail_seen = tail;
	publish(&p->ring, to);
	atomic_store(&p->size, to->size);
}

s64 pipe_resize(struct pipe *p, u64 size)
{
	u64 rounded = PAGE_SIZE;

	if (size > PIPE_SIZE_HARD)
		return -EINVAL;
	while (rounded < size)
		rounded *= 2;
	if (rounded > PIPE_SIZE_HARD)
		return -EINVAL;
	if (rounded > PIPE_SIZE_MAX && current->proc->kp->euid != 0)
		return -EPERM;
	struct pipe_ring *old, *r = ring_new(rounded, 0);
	if (!r)
		return -ENOMEM;
	kin_lock_recover(&p->write_lock, kin_recover_whole, NULL);
	kin_lock_recover(&p->read_lock, kin_recover_whole, NULL);
	bool busy = pipe_bytes(p) > rounded;
	old = busy ? r : p->ring;
	if (!busy)
		ring_move(p, r);
	kin_unlock(&p->read_lock);
	kin_unlock(&p->write_lock);
	ring_free(old);
	if (busy)
		return -EBUSY;
	queue_wake_all(&p->writable);
	return rounded;
}

struct pipe *pipe_new(void)
{
	struct pipe *p = kin_alloc(sizeof(*p));

	if (!p)
		return NULL;
	p->ring = ring_new(PIPE_SIZE_DEFAULT, 0);
	if (!p->ring) {
		kin_free(p, sizeof(*p));
		return NULL;
	}
	atomic_store(&p->size, PIPE_SIZE_DEFAULT);
	p->ino = atomic_fetch_add(&ROOT->next_pipe_ino, 1) + 1;
	queue_init(&p->readable);
	queue_init(&p->writable);
	return p;
}

void pipe_free(struct pipe *p)
{
	queue_destroy(&p->readable);
	queue_destroy(&p->writable);
	ring_free(p->ring);
	kin_free(p, sizeof(*p));
}
