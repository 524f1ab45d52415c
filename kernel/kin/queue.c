/* SPDX-License-Identifier: ISC */
/*
 * Wait queues. The list's forward pointers are the truth: every change of it is one store to such
 * a pointer, and back pointers, tail and count are rebuilt when the lock of a dead owner is
 * recovered.
 *
 * Why no wake is lost: kernel/sched/wait_until.c. The barriers that it speaks of are the one at the
 * end of queue_add, after count was raised, and the one at the start of queue_wake, before count is
 * read.
 *
 * A mark stays until the owner takes it (waiters_woken), so a second waker need not ring again:
 * the first one's ring is on its way. If that first waker is killed between (a) and its ring, its
 * burial marks everybody's waiters and rings everybody: waking for no reason is always right, and
 * members are not killed often.
 */
#include "kernel/kin/root.h"

#include "kernel/lib/lib.h"

void queue_init(struct kin_queue *q)
{
	atomic_store(&q->lock.word, 0);
	atomic_store(&q->count, 0);
	TAILQ_INIT(&q->head);
}

static bool queue_recover(void *arg)
{
	struct kin_queue *q = arg;
	struct kin_waiter **link = &q->head.tqh_first;
	u32 count = 0;

	for (; *link; link = &(*link)->link.tqe_next, count++) {
		(*link)->link.tqe_prev = link;
		(*link)->queue = q;
	}
	q->head.tqh_last = link;
	atomic_store(&q->count, count);
	return true;
}

void queue_lock(struct kin_queue *q)
{
	kin_lock_recover(&q->lock, queue_recover, q);
}

static inline bool is_hook(const struct kin_waiter *w)
{
	return w->member >= OWNER_MEMBER;
}

/*
 * Where a waiter goes. Exclusive ones stand behind all others, in order of arrival, those that are
 * hooks before the rest: a wake ends its walk at the first that it has no wake for.
 */
static struct kin_waiter **place(struct kin_queue *q, struct kin_waiter *w)
{
	struct kin_waiter **at = &q->head.tqh_first;

	if (w->exclusive && !is_hook(w))
		return q->head.tqh_last;
	while (w->exclusive && *at && (!(*at)->exclusive || is_hook(*at)))
		at = &(*at)->link.tqe_next;
	return at;
}

void queue_link(struct kin_queue *q, struct kin_waiter *w)
{
	struct kin_waiter **at = place(q, w);
	struct kin_waiter *next = *at;

	w->link.tqe_next = next;
	w->link.tqe_prev = at;
	atomic_fetch_add(&q->count, 1); /* first: where it is too low, wakers pass by without a look */
	publish(&w->queue, q); /* burial unlinks what says it is queued */
	publish(at, w);
	if (next)
		next->link.tqe_prev = &w->link.tqe_next;
	else
		q->head.tqh_last = &w->link.tqe_next;
}

/* A waiter that a dead member had taken off the list already is left as it is. */
void queue_detach(struct kin_queue *q, struct kin_waiter *w)
{
	struct kin_waiter **prev = w->link.tqe_prev, *next = w->link.tqe_next;

	if (*prev == w) {
		publish(prev, next);
		if (next)
			next->link.tqe_prev = prev;
		else
			q->head.tqh_last = prev;
		atomic_fetch_sub(&q->count, 1);
	}
}

/* Once queue is NULL the owner may use w for something else. */
void queue_unlink(struct kin_queue *q, struct kin_waiter *w)
{
	queue_detach(q, w);
	publish(&w->queue, NULL);
}

void queue_add(struct kin_queue *q, struct kin_waiter *w)
{
	queue_lock(q);
	queue_link(q, w);
	kin_unlock(&q->lock);
	full_barrier(); /* before the waiter looks */
}

/* A futex waker or requeue may take w away meanwhile: only its queue's lock says where it is. */
bool queue_remove(struct kin_waiter *w)
{
	for (;;) {
		struct kin_queue *q = observe(&w->queue);

		if (!q)
			return false;
		queue_lock(q);
		bool here = w->queue == q;
		if (here)
			queue_unlink(q, w);
		kin_unlock(&q->lock);
		if (here)
			return true;
	}
}

void queue_destroy(struct kin_queue *q)
{
	queue_lock(q);
	while (!TAILQ_EMPTY(&q->head))
		queue_unlink(q, TAILQ_FIRST(&q->head));
	kin_unlock(&q->lock);
}

bool queue_lost(struct kin_waiter *w)
{
	struct kin_queue *q = observe(&w->queue);
	bool lost;

	if (!q)
		return false;
	queue_lock(q);
	lost = w->queue == q && *w->link.tqe_prev != w;
	kin_unlock(&q->lock);
	return lost;
}

bool ring_add(struct ring_set *r, u32 member)
{
	for (u32 i = 0; i < r->n; i++)
		if (r->member[i] == member)
			return false;
	r->member[r->n++] = member;
	return r->n == RING_BATCH;
}

void ring_all(struct ring_set *r)
{
	for (u32 i = 0; i < r->n; i++)
		doorbell_ring(r->member[i]);
	r->n = 0;
}

bool waiter_mark(struct kin_waiter *w)
{
	if (w->exclusive && member_gone(w->member, w->generation))
		return false;
	return atomic_exchange(&w->woken, 1) == 0;
}

/* What is left of a wake, over all walks of the queue. */
struct wake {
	u32 max;        /* exclusive sleepers */
	bool passes_on; /* hooks are not told */
	bool told;      /* one exclusive hook was, and somebody woke by it */
	bool nested;    /* under the lock of another queue: who is to be rung cannot wait */
	u32 events;     /* EPOLL*: what has happened; 0: what the queue stands for */
	u32 owners;     /* of files, who were told; walks pass in the same order */
	bool signals;   /* they are to be signalled */
};

static bool queue_tell(struct kin_queue *q, struct ring_set *r);

/* false: once more, when those who were told have got their signals. seen: owners of this walk. */
static bool owner_tell(struct wake *wake, struct kin_waiter *w, u32 *seen)
{
	if (wake->passes_on || ++*seen <= wake->owners)
		return true;
	wake->signals = true;
	if (!owner_told(w, wake->events ? wake->events : w->bits))
		return false;
	wake->owners++;
	return true;
}

static void hook_tell(struct wake *wake, struct kin_waiter *w, struct ring_set *r)
{
	struct kin_queue *next;

	if (wake->passes_on || (w->exclusive && wake->told))
		return;
	next = queue_told(w);
	if (next && queue_tell(next, r) && w->exclusive)
		wake->told = true;
}

/*
 * Marks what may be woken and collects whom to ring; true: the set is full and there may be more.
 * Under q's lock.
 */
static bool queue_mark(struct kin_queue *q, struct wake *wake, struct ring_set *r)
{
	struct kin_waiter *w;
	u32 owners = 0;

	TAILQ_FOREACH(w, &q->head, link) {
		if (w->member == OWNER_MEMBER) {
			if (!owner_tell(wake, w, &owners))
				return true;
			continue;
		}
		if (is_hook(w)) {
			hook_tell(wake, w, r);
			continue;
		}
		if (w->exclusive && wake->max == 0)
			break;
		if (!waiter_mark(w))
			continue;
		if (w->exclusive)
			wake->max--;
		if (ring_add(r, w->member) && !wake->nested)
			return true;
		if (r->n == RING_BATCH)
			ring_all(r);
	}
	return false;
}

/* An epoll was told: one who waits for its events, all who poll it, and the epolls that have it. */
static bool queue_tell(struct kin_queue *q, struct ring_set *r)
{
	struct wake wake = {.max = 1, .nested = true};
	bool there;

	full_barrier(); /* (b): the ready list was changed */
	if (atomic_load(&q->count) == 0)
		return false;
	kin_lock_nested(&q->lock, queue_recover, q, "told by another; epoll_ctl allows no circles");
	there = !TAILQ_EMPTY(&q->head);
	queue_mark(q, &wake, r);
	kin_unlock(&q->lock);
	return there;
}

static void wake_some(struct kin_queue *q, struct wake *wake)
{
	struct ring_set r = {0};
	bool more;

	full_barrier(); /* after what it wakes for */
	if (atomic_load(&q->count) == 0)
		return;
	do {
		queue_lock(q);
		more = queue_mark(q, wake, &r);
		kin_unlock(&q->lock);
		ring_all(&r);
		if (wake->signals)
			owners_signal();
	} while (more);
}

void queue_wake(struct kin_queue *q, u32 max)
{
	struct wake wake = {.max = max};

	wake_some(q, &wake);
}

void queue_wake_for(struct kin_queue *q, u32 events)
{
	struct wake wake = {.max = ~0u, .events = events};

	wake_some(q, &wake);
}

void queue_pass_on(struct kin_queue *q, u32 max)
{
	struct wake wake = {.max = max, .passes_on = true};

	wake_some(q, &wake);
}

bool queue_has_sleeper(struct kin_queue *q)
{
	struct kin_waiter *w;

	if (atomic_load(&q->count) == 0)
		return false;
	queue_lock(q);
	TAILQ_FOREACH(w, &q->head, link)
		if (!is_hook(w))
			break;
	kin_unlock(&q->lock);
	return w != NULL;
}

/* An exclusive wake that the dead had taken goes to the next in the queue. */
static void waiter_bury(struct kin_waiter *w)
{
	struct kin_queue *q = w->queue;

	if (!q) {
		futex_pass_on(w);
		return;
	}
	queue_remove(w);
	if (w->exclusive && atomic_load(&w->woken))
		queue_wake(q, 1);
}

void record_lock(struct member_record *r)
{
	kin_lock_recover(&r->lock, kin_recover_whole, NULL);
}

/* Whatever the dead was about to tell others, they find out for themselves. */
static void everybody_look(void)
{
	atomic_fetch_add(&ROOT->deaths, 1);
	for (u32 i = 0; member_used(i); i++) {
		struct member_record *r = &ROOT->members[i];

		if (atomic_load(&KIN->members[i].state) != MEMBER_LIVE)
			continue;
		record_lock(r);
		for (struct waiter_page *p = r->waiters; p; p = p->next)
			for (u32 k = 0; k < WAITERS_PER_PAGE; k++)
				atomic_store(&p->waiter[k].woken, 1);
		kin_unlock(&r->lock);
		doorbell_ring(i);
	}
}

void waiters_bury(u32 member, u32 generation)
{
	struct member_record *r = &ROOT->members[member];
	struct waiter_page *page = r->waiters;
	bool self = member == ((struct boot_info *)BOOT_INFO_ADDR)->member;

	for (struct waiter_page *p = page; p; p = p->next)
		for (u32 i = 0; i < WAITERS_PER_PAGE; i++)
			if (p->waiter[i].generation == generation)
				waiter_bury(&p->waiter[i]);
	own_bury(member);
	if (!self)
		everybody_look();
	while ((page = r->waiters)) {
		record_lock(r);
		own_take(OWN_MEMORY, &r->waiters, page->next);
		kin_unlock(&r->lock);
		own_free(page);
	}
}
