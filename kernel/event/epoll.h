/* SPDX-License-Identifier: ISC */
/*
 * Interest lists of epoll from the inside.
 *
 * An item stands on the wait queues of its file as long as it is in a list (hooks). What wakes such
 * a queue puts the item on its epoll's ready list and wakes who sleeps on the epoll's own queue,
 * which may be hooked, too. A wait looks at the items of the ready list only, and at those whose
 * files have something that no queue tells (watched: the host's handles, and timers).
 *
 * Nobody has a share of a file for its place in a list: a file that goes leaves all lists first,
 * and waits for their locks, so under its lock the files of a list are there. An epoll has shares,
 * so that a file on its way out can wait for its lock.
 *
 * Death. An item in kin is at any time owned by one slot: of the list, or file.epoll_step while it
 * is put there or taken away. The ready list is not repaired but made anew from all items, and so
 * is what wakes of the dead got lost: whoever sees that a member was killed since (ROOT->deaths)
 * looks at all items once.
 */
#ifndef KERNEL_EVENT_EPOLL_H
#define KERNEL_EVENT_EPOLL_H

#include "kernel/fd/poll.h"
#include "kernel/kin/root.h"

#define EPOLL_NESTING_MAX 5

struct epoll;
struct epoll_item {
	/* lock of the epoll */
	struct epoll_item *next;  /* slot, as epoll.items */
	struct epoll_item **prev; /* what points here; a death may leave it behind the times */
	struct epoll_item *next_watched;
	u64 data;
	u64 edges;                /* of file when it was last reported, and what was reported */
	u32 mask;
	u32 events;
	bool disabled;            /* one-shot has shot */
	bool hooked;              /* stands on all queues, or is watched */
	bool watched;

	/* no lock: constant */
	struct epoll *epoll;
	struct file *file;
	s32 fd;

	struct epoll_item *next_of_file; /* no lock: file.epoll_lock */
	/* no lock: epoll.ready_lock */
	TAILQ_ENTRY(epoll_item) ready;
	u32 is_ready;
	u32 told; /* EPOLL*: what the queues stand for that were woken since it was looked at */

	struct kin_waiter hook[POLL_HOOKS]; /* no lock: those of their queues */
};

/* file.priv[0]: slot of OWN_EPOLL */
struct epoll {
	struct kin_ref ref;
	KIN_LOCK(lock, EPOLL);
	KIN_LOCK(ready_lock, EPOLL_READY); /* of those who wake, under a queue's lock */
	struct file *file;                 /* no lock: constant, there while something is in the list */
	struct epoll_item *items;          /* lock: slots, newest first */
	struct epoll_item *watched;        /* lock */
	TAILQ_HEAD(, epoll_item) ready;    /* ready_lock */
	_Atomic u32 nready;                /* ready_lock to change */
	_Atomic u32 lost;                  /* the ready list is to be made anew */
	u32 deaths;                        /* lock: ROOT->deaths when it was last made anew */
	struct kin_queue queue;
};

static inline struct epoll *epoll_of(const struct file *f)
{
	return f->type == FILE_EPOLL ? (struct epoll *)f->priv[0] : NULL;
}

/* ---- epoll_list.c: the lists */
bool epoll_file_recover(void *arg); /* of a file's epoll_lock */
/* Items, and what is watched. Outer before inner where an epoll is in another. */
void epoll_lock(struct epoll *e);
void epoll_unlock(struct epoll *e);
/* Under lock: */
struct epoll_item *epoll_find(struct epoll *e, struct file *f, int fd);
void epoll_link(struct epoll *e, struct epoll_item *i); /* which is in hand */
void epoll_unlink(struct epoll_item *i);                /* and freed */
void epoll_watch(struct epoll_item *i, bool watched);
/* Puts an item on the ready list, if it is not there. */
void epoll_ready(struct epoll_item *i, u32 told);
/* Off the ready list: this one (false: it was not there), or the first, or NULL. */
bool epoll_unready(struct epoll_item *i, u32 *told);
struct epoll_item *epoll_first_ready(struct epoll *e, u32 *told);
/* All items are ready, as far as is known, if somebody died since the last time. */
void epoll_settle(struct epoll *e);
/* Without lock: may a wait find something? */
bool epoll_may_find(struct epoll *e);

#endif
