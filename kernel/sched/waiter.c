/* SPDX-License-Identifier: ISC */
/*
 * A thread's waiters. The records lie in kin, on pages that the member's record lists for burial;
 * the list of free ones and each thread's list of those in use are private. A clone forgets both:
 * they are its parent's.
 */
#include "kernel/kin/root.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"

#include "kernel/arch/arch.h"
#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"

/* Private. */
static struct kin_waiter *pool; /* free waiters of this member, linked by link.tqe_next */
static u32 pool_member, pool_generation;
static struct thread_kin boot_kin;

static bool pool_ours(void)
{
	return pool_member == BOOT_INFO->member && pool_generation == BOOT_INFO->generation;
}

static void pool_refill(void)
{
	struct waiter_page *page = own_pages(1, PAGES_LAST);
	struct member_record *r = record_self();

	if (!page)
		family_fatal("kin is full: no room for a waiter");
	_Static_assert(sizeof(struct waiter_page) <= PAGE_SIZE, "waiters must fit a page");
	page->next = r->waiters;
	own_give(&r->waiters, page);
	for (u32 i = 0; i < WAITERS_PER_PAGE; i++) {
		page->waiter[i].link.tqe_next = pool;
		pool = &page->waiter[i];
	}
}

struct thread_kin *thread_kin(struct thread *t)
{
	struct thread_kin *k = t ? t->wait_state : &boot_kin;

	if (!k) {
		k = kmalloc_hot(sizeof(*k));
		if (!k)
			kpanic("no memory for a thread's waiters");
		t->wait_state = k;
	}
	if (k->member != BOOT_INFO->member || k->generation != BOOT_INFO->generation) {
		k->member = BOOT_INFO->member;
		k->generation = BOOT_INFO->generation;
		k->nwaiters = 0;
		k->nborrowed = 0;
	}
	return k;
}

struct kin_waiter *waiter_get(void)
{
	struct thread_kin *k = thread_kin(current);

	if (!pool_ours()) {
		pool = NULL;
		pool_member = BOOT_INFO->member;
		pool_generation = BOOT_INFO->generation;
	}
	if (!pool)
		pool_refill();
	if (k->nwaiters == k->waiters_cap) {
		u32 cap = k->waiters_cap ? k->waiters_cap * 2 : 8;
		struct kin_waiter **list = array_move(kmalloc_hot(cap * sizeof(*list)), k->waiters,
											  k->nwaiters * sizeof(*list));

		if (!list)
			kpanic("no memory for a thread's waiters");
		k->waiters = list;
		k->waiters_cap = cap;
	}
	struct kin_waiter *w = pool;
	pool = w->link.tqe_next;
	w->member = BOOT_INFO->member;
	w->generation = BOOT_INFO->generation;
	w->queue = NULL;
	w->exclusive = 0;
	w->key = 0;
	w->bits = 0;
	w->thread = (u64)current;
	atomic_store(&w->woken, 0);
	w->index = k->nwaiters;
	k->waiters[k->nwaiters++] = w;
	return w;
}

void waiter_put(struct kin_waiter *w)
{
	struct thread_kin *k = thread_kin((struct thread *)w->thread);
	struct kin_waiter *last = k->waiters[k->nwaiters - 1];

	kassert(!w->queue && k->waiters[w->index] == w);
	k->waiters[w->index] = last;
	last->index = w->index;
	k->nwaiters--;
	w->bits = 0;
	w->link.tqe_next = pool;
	pool = w;
}

bool waiters_woken(struct thread *t)
{
	struct thread_kin *k = thread_kin(t);
	bool woken = false;

	for (u32 i = 0; i < k->nwaiters; i++)
		if (atomic_load_explicit(&k->waiters[i]->woken, memory_order_relaxed))
			woken |= atomic_exchange(&k->waiters[i]->woken, 0);
	return woken;
}

void waiters_fork_child(struct thread *t)
{
	thread_kin(t); /* notices that the member changed */
	pool = NULL;
}

void thread_kin_release(struct thread *t)
{
	struct thread_kin *k = t->wait_state;

	if (!k)
		return;
	if (k->waiters)
		kfree(k->waiters);
	if (k->borrowed)
		kfree(k->borrowed);
	kfree(k);
	t->wait_state = NULL;
}
