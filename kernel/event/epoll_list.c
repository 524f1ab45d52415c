/* SPDX-License-Identifier: ISC */
/*
 * Interest lists and ready lists of epoll: who is in them, and what a death leaves. See epoll.h.
 *
 * Order: an epoll's lock, a file's epoll_lock, locks of queues, ready_lock.
 */
#include "kernel/event/epoll.h"

#include <linux/eventpoll.h>

#include "kernel/event/event_hooks.h"
#include "kernel/fd/fd_hooks.h"
#include "kernel/lib/lib.h"

/* ---- ready lists: their lock */

static bool ready_recover(void *arg)
{
	struct epoll *e = arg;

	TAILQ_INIT(&e->ready);
	atomic_store(&e->nready, 0);
	atomic_store(&e->lost, 1);
	return true;
}

static void ready_lock(struct epoll *e)
{
	kin_lock_recover(&e->ready_lock, ready_recover, e);
}

/* ---- interest lists */

/* Of items the one store counts that links or unlinks them; who is watched is found again. */
static bool list_recover(void *arg)
{
	struct epoll *e = arg;

	e->watched = NULL;
	for (struct epoll_item *i = e->items; i; i = i->next) {
		i->watched = i->watched || !i->hooked;
		if (i->watched) {
			i->next_watched = e->watched;
			e->watched = i;
		}
	}
	ready_lock(e);
	ready_recover(e);
	kin_unlock(&e->ready_lock);
	return true;
}

void epoll_lock(struct epoll *e)
{
	kin_lock_nested(&e->lock, list_recover, e, "outer before inner; epoll_ctl allows no circles");
}

void epoll_unlock(struct epoll *e)
{
	kin_unlock(&e->lock);
}

/* ---- the lists of files */

static void step_finish(struct file *f)
{
	struct epoll_item **link = &f->epoll_items, *i = f->epoll_step;

	while (*link && *link != i)
		link = &(*link)->next_of_file;
	if (*link)
		publish(link, i->next_of_file);
	own_free(own_take(OWN_MEMORY, &f->epoll_step, NULL));
}

/* What the dead were about to put into a list, or had taken from one, is gone. */
bool epoll_file_recover(void *arg)
{
	struct file *f = arg;

	if (f->epoll_step)
		step_finish(f);
	return true;
}

static void file_lock(struct file *f)
{
	kin_lock_recover(&f->epoll_lock, epoll_file_recover, f);
}

static void file_unlock(struct file *f)
{
	kin_unlock(&f->epoll_lock);
}

struct epoll_item *epoll_find(struct epoll *e, struct file *f, int fd)
{
	struct epoll_item *i;

	file_lock(f);
	i = f->epoll_items;
	while (i && (i->epoll != e || (fd >= 0 && i->fd != fd)))
		i = i->next_of_file;
	file_unlock(f);
	return i;
}

void epoll_link(struct epoll *e, struct epoll_item *i)
{
	struct file *f = i->file;

	file_lock(f);
	own_give(&f->epoll_step, i);
	i->next_of_file = f->epoll_items;
	publish(&f->epoll_items, i);
	i->next = e->items;
	i->prev = &e->items;
	own_move(OWN_MEMORY, &f->epoll_step, &e->items);
	if (i->next)
		publish(&i->next->prev, &i->next);
	file_unlock(f);
}

void epoll_unlink(struct epoll_item *i)
{
	struct epoll *e = i->epoll;
	struct epoll_item **link = *i->prev == i ? i->prev : &e->items;
	struct file *f = i->file;
	u32 told;

	for (u32 k = 0; k < POLL_HOOKS; k++)
		queue_remove(&i->hook[k]);
	epoll_unready(i, &told);
	epoll_watch(i, false);
	while (*link != i)
		link = &(*link)->next;
	file_lock(f);
	/* In this order prev may name a link that names another item, never one that is freed. */
	if (i->next)
		publish(&i->next->prev, link);
	ref_move_on(OWN_MEMORY, (void **)link, OWN_SLOT(&f->epoll_step, i), i->next);
	step_finish(f);
	file_unlock(f);
}

void epoll_watch(struct epoll_item *i, bool watched)
{
	struct epoll_item **link = &i->epoll->watched;

	if (i->watched == watched)
		return;
	if (watched) {
		i->next_watched = *link;
		publish(link, i);
	} else {
		while (*link && *link != i)
			link = &(*link)->next_watched;
		if (*link)
			publish(link, i->next_watched);
	}
	i->watched = watched;
}

void epoll_file_gone(struct file *f)
{
	for (;;) {
		void **hold = NULL;

		file_lock(f);
		if (f->epoll_items) {
			hold = hold_new(OWN_EPOLL);
			ref_get_for(OWN_EPOLL, f->epoll_items->epoll, hold);
		}
		file_unlock(f);
		if (!hold)
			return;
		struct epoll *e = *hold;
		epoll_lock(e);
		struct epoll_item *i = epoll_find(e, f, -1);
		if (i)
			epoll_unlink(i);
		epoll_unlock(e);
		ref_put(OWN_EPOLL, hold);
	}
}

/* ---- ready lists */

/* ready_lock. The list was made anew without i if it is not where it says. */
static bool on_list(struct epoll_item *i)
{
	return i->is_ready && !atomic_load(&i->epoll->lost);
}

void epoll_ready(struct epoll_item *i, u32 told)
{
	struct epoll *e = i->epoll;

	ready_lock(e);
	i->told |= told;
	if (!i->is_ready && !atomic_load(&e->lost)) {
		i->is_ready = 1;
		TAILQ_INSERT_TAIL(&e->ready, i, ready);
		atomic_fetch_add(&e->nready, 1);
	}
	kin_unlock(&e->ready_lock);
}

/* ready_lock */
static void take_off(struct epoll_item *i, u32 *told)
{
	TAILQ_REMOVE(&i->epoll->ready, i, ready);
	atomic_fetch_sub(&i->epoll->nready, 1);
	*told = i->told;
	i->told = 0;
	i->is_ready = 0;
}

bool epoll_unready(struct epoll_item *i, u32 *told)
{
	ready_lock(i->epoll);
	bool there = on_list(i);
	if (there)
		take_off(i, told);
	kin_unlock(&i->epoll->ready_lock);
	return there;
}

struct epoll_item *epoll_first_ready(struct epoll *e, u32 *told)
{
	struct epoll_item *i;

	ready_lock(e);
	i = TAILQ_FIRST(&e->ready);
	if (i)
		take_off(i, told);
	kin_unlock(&e->ready_lock);
	return i;
}

static inline bool all_to_be_looked_at(struct epoll *e)
{
	return atomic_load(&e->lost) || e->deaths != atomic_load(&ROOT->deaths);
}

void epoll_settle(struct epoll *e)
{
	u32 n = 0;

	if (!all_to_be_looked_at(e))
		return;
	e->deaths = atomic_load(&ROOT->deaths);
	ready_lock(e);
	atomic_store(&e->lost, 1); /* should we die here */
	TAILQ_INIT(&e->ready);
	for (struct epoll_item *i = e->items; i; i = i->next, n++) {
		i->is_ready = 1;
		i->told = ~0u;
		TAILQ_INSERT_TAIL(&e->ready, i, ready);
	}
	atomic_store(&e->nready, n);
	atomic_store(&e->lost, 0);
	kin_unlock(&e->ready_lock);
}

bool epoll_may_find(struct epoll *e)
{
	return atomic_load(&e->nready) || all_to_be_looked_at(e);
}

/* ---- told by a queue, under its lock */

struct kin_queue *queue_told(struct kin_waiter *w)
{
	struct epoll_item *i = (struct epoll_item *)w->key;

	if (i->disabled)
		return NULL;
	epoll_ready(i, w->bits);
	return &i->epoll->queue;
}
