/* SPDX-License-Identifier: ISC */
/*
 * Waiting for a pipe and waking for it.
 *
 * Why no wake is lost. Each side makes its change visible (head or tail), passes a full barrier,
 * and looks at the other side's waiter count; the sleeper counts itself, then looks at head and
 * tail (kernel/kin/queue.c has the argument). Readers and writers wait exclusively, one is woken
 * per change, and whoever leaves data (or room) behind wakes the next; pollers are all woken.
 *
 * A patient sleeper is not woken for a small change, so it never sleeps without a deadline: it
 * looks at head and tail after PATIENCE. It then counts itself as impatient (a locked instruction,
 * so a full barrier) and looks again before it sleeps for good. The waker reads that count behind
 * its barrier: either it sees the sleeper there and wakes it, or the sleeper's look comes later and
 * sees the change.
 *
 * Both sides cannot wait for each other meanwhile: a writer that stops wakes whoever reads,
 * however little there is, and a pipe that was read empty has more than half of its room.
 */
#include <asm/errno.h>

#include "kernel/kin/root.h"
#include "kernel/kin/spin.h"
#include "kernel/lib/lib.h"
#include "kernel/pipe/pipe.h"
#include "kernel/pipe/pipe_packet.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"

/* A stream fills half a ring much faster, and nobody notices a delay of this length. */
#define READER_PATIENCE_NS 500000
#define WRITER_PATIENCE_NS 1000000
#define BACKOFF_FIRST 8
#define BACKOFF_MAX 4096
#define PATIENT_RING (8 * PIPE_ATOMIC) /* smaller rings are not worth it */

struct want {
	struct pipe *p;
	u64 need;
	bool writes;
};

u64 pipe_bytes(struct pipe *p)
{
	u64 tail = atomic_load(&p->tail);

	return atomic_load(&p->head) - tail;
}

u64 pipe_room(struct pipe *p)
{
	u64 used = pipe_bytes(p);
	u32 size = pipe_size(p);

	return used < size && !packets_full(p) ? size - used : 0;
}

/* The end of the writers first: one that wrote and closed is then seen by its bytes. */
static bool ready(void *arg)
{
	struct want *w = arg;

	if (w->writes)
		return atomic_load(&w->p->readers) == 0 || pipe_room(w->p) >= w->need;
	return atomic_load(&w->p->writers) == 0 || pipe_bytes(w->p) != 0;
}

/* As much as patient sleepers wait for. */
static bool enough(struct pipe *p, bool writes)
{
	u32 half = pipe_size(p) / 2;

	return writes ? pipe_room(p) >= MAX(half, PIPE_ATOMIC) : pipe_bytes(p) >= half;
}

/*
 * Does this look like a stream? A full pipe does; a reader that got a page or more with its last
 * call does. Where waiting was in vain, as with requests and responses of pages, the next tries
 * are further and further apart.
 */
static bool patience_try(struct pipe *p, bool writes)
{
	struct pipe_patience *t = writes ? &p->writing : &p->reading;
	u32 skip = atomic_load_explicit(&t->skip, memory_order_relaxed);

	if (pipe_size(p) < PATIENT_RING)
		return false;
	if (!writes && atomic_load_explicit(&p->last_take, memory_order_relaxed) < PIPE_ATOMIC)
		return false;
	if (skip)
		atomic_store_explicit(&t->skip, skip - 1, memory_order_relaxed);
	return !skip;
}

static void patience_learn(struct pipe_patience *t, bool paid)
{
	u32 backoff = atomic_load_explicit(&t->backoff, memory_order_relaxed);

	backoff = paid ? backoff / 4 : MIN(MAX(backoff * 2, BACKOFF_FIRST), BACKOFF_MAX);
	atomic_store_explicit(&t->backoff, backoff, memory_order_relaxed);
	atomic_store_explicit(&t->skip, backoff, memory_order_relaxed);
}

/* 0: ready, or not patient any more; -EINTR. */
static int sleep_patient(struct want *w)
{
	struct pipe_patience *t = w->writes ? &w->p->writing : &w->p->reading;
	u64 ns = w->writes ? WRITER_PATIENCE_NS : READER_PATIENCE_NS;
	u64 deadline = time_deadline(time_mono_ns(), ns);
	int err = wait_until(NULL, ready, w, deadline, SLEEP_INTERRUPTIBLE);

	if (err == -ETIMEDOUT || enough(w->p, w->writes))
		patience_learn(t, err != -ETIMEDOUT);
	return err == -ETIMEDOUT ? 0 : err;
}

static int sleep_impatient(struct want *w)
{
	struct pipe_patience *t = w->writes ? &w->p->writing : &w->p->reading;
	int err;

	atomic_fetch_add(&t->impatient, 1);
	err = wait_until(NULL, ready, w, HYP_NO_DEADLINE, SLEEP_INTERRUPTIBLE);
	atomic_fetch_sub(&t->impatient, 1);
	return err;
}

s64 pipe_wait(struct pipe *p, bool writes, u64 need)
{
	struct want w = {p, need, writes};
	struct kin_queue *q = writes ? &p->writable : &p->readable;
	int err = 0;

	if (spin_for(ready, &w, atomic_load(writes ? &p->last_reader : &p->last_writer)))
		return 0;
	struct kin_waiter *waiter = waiter_get();
	waiter->exclusive = 1;
	queue_add(q, waiter);
	if (patience_try(p, writes))
		err = sleep_patient(&w);
	if (!err)
		err = sleep_impatient(&w);
	queue_remove(waiter);
	waiter_put(waiter);
	if (!err)
		return 0;
	/* A wake may have been ours and we do not use it. */
	queue_pass_on(q, 1);
	return -ERESTARTSYS;
}

void pipe_wake_readers(struct pipe *p, bool stops)
{
	full_barrier();
	if (atomic_load(&p->readable.count) == 0)
		return;
	queue_wake(&p->readable, stops || atomic_load(&p->reading.impatient) || enough(p, false));
}

void pipe_wake_writers(struct pipe *p)
{
	full_barrier();
	if (atomic_load(&p->writable.count) == 0 || pipe_room(p) < PIPE_ATOMIC)
		return;
	queue_wake(&p->writable, atomic_load(&p->writing.impatient) || enough(p, true));
}
