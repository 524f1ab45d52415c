/* SPDX-License-Identifier: ISC */
/*
 * The data path of pipes. The writer copies into the ring and then stores head, the reader copies
 * out and then stores tail; neither leaves the VM unless it must sleep or the other one does.
 *
 * As on Linux, a full pipe takes more once a page of it is free, for poll as well as for sleeping
 * writers; writes up to PIPE_ATOMIC are never torn.
 *
 * Waking: each side makes its change visible (head or tail), and queue_wake's barrier stands
 * between that and the look at the other side's waiter count; the sleeper counts itself, then
 * looks at head and tail (kernel/kin/queue.c has the argument). Readers and writers wait
 * exclusively, one is woken per change, and whoever leaves data (or room) behind wakes the next;
 * pollers are all woken.
 */
#include <asm/errno.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/eventpoll.h>
#include <linux/uio.h>

#include "kernel/arch/x86_64/arch.h"
#include "kernel/kin/pipe.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"
#include "kernel/proc/proc.h"

#define SPIN_NS 20000       /* for a peer that runs: what a wake-up across CPUs costs */
#define SPIN_WAKING_NS 60000 /* for one that is being woken */
#define SPIN_SCORE_MAX 8
#define SPIN_PROBE 32       /* after this many sleeps, try again whether spinning pays */

/* Where in a vector of application memory a transfer stands. */
struct iov_cursor {
	const struct iovec *iov;
	u32 n;
	size_t offset;
	size_t left;
};

static struct {                 /* private: does spinning pay for this member? */
	s32 score;
	u32 skipped;
} spin = {.score = 4};

static struct iov_cursor cursor_start(const struct iovec *iov, u32 n)
{
	struct iov_cursor c = {.iov = iov, .n = n};

	for (u32 i = 0; i < n; i++)
		c.left += iov[i].iov_len;
	return c;
}

/*
 * Copies n bytes between the vector and kin; how many were not copied (a fault). The cursor
 * moves.
 */
static size_t cursor_copy(struct iov_cursor *c, char *kin, size_t n, bool to_application)
{
	while (n) {
		size_t part = MIN(n, c->iov->iov_len - c->offset);
		char *user = (char *)c->iov->iov_base + c->offset;
		size_t failed = to_application ? copy_out_some(user, kin, part)
					       : copy_in_some(kin, user, part);

		n -= part - failed;
		kin += part - failed;
		c->left -= part - failed;
		c->offset += part - failed;
		if (failed)
			return n;
		if (c->offset == c->iov->iov_len && c->left) {
			do {
				c->iov++;
			} while (c->iov->iov_len == 0);
			c->offset = 0;
		}
	}
	return 0;
}

/* n bytes from number start on, in at most two pieces of the ring. Bytes copied. */
static size_t ring_copy(struct pipe_ring *r, u64 start, struct iov_cursor *c, size_t n, bool out)
{
	u32 at = (start - r->bias) & (r->size - 1);
	size_t first = MIN(n, r->size - at);
	size_t failed = cursor_copy(c, r->base + at, first, out);

	if (failed)
		return first - failed;
	return n - (n > first ? cursor_copy(c, r->base, n - first, out) : 0);
}

u64 pipe_bytes(struct pipe *p)
{
	u64 tail = atomic_load(&p->tail);

	return atomic_load(&p->head) - tail;
}

static inline u64 pipe_room(struct pipe *p)
{
	u64 used = pipe_bytes(p);
	u32 size = atomic_load(&p->size);

	return used < size ? size - used : 0;
}

/* Writers first: one that wrote and closed is then seen by its bytes. */
static bool read_ready(struct pipe *p, u64 need)
{
	return atomic_load(&p->writers) == 0 || pipe_bytes(p) != 0;
}

static bool write_ready(struct pipe *p, u64 need)
{
	return atomic_load(&p->readers) == 0 || pipe_room(p) >= need;
}

static bool peer_running(u32 peer)
{
	struct kin_member *m = &KIN->members[peer % MEMBERS_MAX];

	return peer != BOOT_INFO->member && atomic_load(&m->state) == MEMBER_LIVE &&
	       atomic_load(&m->doorbell_state) == DOORBELL_RUNNING;
}

static u64 spin_tsc(u64 ns)
{
	return (KIN->clock.tsc_khz ? KIN->clock.tsc_khz : 2000000) * ns / 1000000;
}

/*
 * Waits a little without leaving the VM, if the other side runs now or was woken by us just before,
 * and if this has paid lately: where both share one CPU it never does, and is soon given up.
 */
static bool spin_for(struct pipe *p, bool (*ready)(struct pipe *, u64), u64 need, u32 peer)
{
	u64 begin = rdtsc(), waking = spin_tsc(SPIN_WAKING_NS), limit = spin_tsc(SPIN_NS);

	if (doorbell_woken_since(peer, begin - waking))
		limit = waking;
	else if (!peer_running(peer))
		return false;
	if (spin.score <= 0 && ++spin.skipped < SPIN_PROBE)
		return false;
	spin.skipped = 0;
	do {
		for (u32 i = 0; i < 16; i++)
			cpu_relax();
		if (ready(p, need)) {
			spin.score = MIN(spin.score + 1, SPIN_SCORE_MAX);
			return true;
		}
	} while (rdtsc() - begin < limit && !PERCPU->irq_pending);
	spin.score = MAX(spin.score - 1, 0);
	return false;
}

/* 0 when it may be ready, or -ERESTARTSYS. */
static s64 pipe_wait(struct pipe *p, struct kin_queue *q, bool (*ready)(struct pipe *, u64),
		     u64 need, u32 peer)
{
	int err = 0;

	if (spin_for(p, ready, need, peer))
		return 0;
	struct kin_waiter *w = waiter_get();
	w->exclusive = 1;
	queue_add(q, w);
	while (!ready(p, need) && !err)
		err = thread_sleep(HYP_NO_DEADLINE, true);
	queue_remove(w);
	waiter_put(w);
	if (!err)
		return 0;
	/* A wake may have been ours and we do not use it. */
	queue_wake(q, 1);
	return -ERESTARTSYS;
}

/* Takes bytes if there are any: count, 0: empty, -EFAULT. */
static s64 pipe_take(struct pipe *p, struct iov_cursor *c)
{
	kin_lock_recover(&p->read_lock, kin_recover_whole, NULL);
	u64 tail = atomic_load(&p->tail), bytes = atomic_load(&p->head) - tail;
	size_t n = MIN(c->left, bytes), done = 0;

	if (n) {
		done = ring_copy(p->ring, tail, c, n, true);
		atomic_store_explicit(&p->tail, tail + done, memory_order_release);
		atomic_store_explicit(&p->last_reader, BOOT_INFO->member, memory_order_relaxed);
	}
	kin_unlock(&p->read_lock);
	if (done == 0)
		return n ? -EFAULT : 0;
	if (pipe_room(p) >= PIPE_ATOMIC)
		queue_wake(&p->writable, 1);
	if (pipe_bytes(p))
		queue_wake(&p->readable, 1);
	return done;
}

s64 pipe_readv(struct pipe *p, const struct iovec *iov, u32 n, bool nonblock)
{
	struct iov_cursor c = cursor_start(iov, n);

	if (c.left == 0)
		return 0;
	while (c.iov->iov_len == 0)
		c.iov++;
	for (;;) {
		bool ended = atomic_load(&p->writers) == 0;
		s64 r = pipe_take(p, &c);

		if (r || ended)
			return r;
		if (nonblock)
			return -EAGAIN;
		r = pipe_wait(p, &p->readable, read_ready, 1, atomic_load(&p->last_writer));
		if (r)
			return r;
	}
}

/* Puts bytes if at least need fit: count, 0: no room, -EFAULT. */
static s64 pipe_put(struct pipe *p, struct iov_cursor *c, u64 need)
{
	size_t n = 0, done = 0;

	kin_lock_recover(&p->write_lock, kin_recover_whole, NULL);
	u64 head = atomic_load(&p->head), room = p->ring->size - pipe_bytes(p);

	if (room >= need) {
		n = MIN(c->left, room);
		done = ring_copy(p->ring, head, c, n, false);
		if (done < need)
			done = 0;
		atomic_store_explicit(&p->head, head + done, memory_order_release);
		atomic_store_explicit(&p->last_writer, BOOT_INFO->member, memory_order_relaxed);
	}
	kin_unlock(&p->write_lock);
	if (done == 0)
		return n ? -EFAULT : 0;
	queue_wake(&p->readable, 1);
	if (c->left == 0 && pipe_room(p) >= PIPE_ATOMIC)
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
	struct iov_cursor c = cursor_start(iov, n);
	u64 need = c.left <= PIPE_ATOMIC ? c.left : 1;
	s64 total = 0;

	if (c.left == 0)
		return 0;
	while (c.iov->iov_len == 0)
		c.iov++;
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
		r = pipe_wait(p, &p->writable, write_ready, need, atomic_load(&p->last_reader));
		if (r)
			return total ? total : r;
	}
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
