/* SPDX-License-Identifier: ISC */
/*
 * The kernel's own root in kin, on the first page after struct kin_header: the allocator's state,
 * the roots of the other parts, and one record per member for what must be cleaned up after it.
 * Only kernel/kin and kernel/fd and kernel/event look inside.
 *
 * A death at any instruction is the rule, not the exception. Three devices are used:
 * - one publishing store, with everything before it harmless;
 * - locks with a recover function that rebuilds what is redundant from what is not;
 * - owners of memory and references that can be told after a death: own.h.
 */
#ifndef KERNEL_KIN_ROOT_H
#define KERNEL_KIN_ROOT_H

#include <stdatomic.h>

#include "kernel/kin/own.h"

#define KIN_ROOT_ADDR ALIGN_UP(KIN_BASE + sizeof(struct kin_header), PAGE_SIZE)
#define KIN_PAGES (KIN_SIZE / PAGE_SIZE)
#define KIN_BITMAP_WORDS (KIN_PAGES / 64)
#define SLAB_CLASSES 21
#define RUN_HINTS 4
#define FUTEX_BUCKETS 256

struct slab;

/*
 * One size of small objects. all is a list in which every change is one store to a next pointer;
 * the rest is rebuilt from it if the owner of the lock dies.
 */
struct slab_class {
	KIN_LOCK(lock, SLAB);
	u32 size, per_slab;      /* no lock: constant */
	struct slab *all;        /* lock: every slab */
	struct slab *partial;    /* lock: those with a free object */
	u32 empty;               /* lock: slabs without any object; all but one are given back */
} __attribute__((aligned(64)));

#define HOLDS_PER_PAGE 255
struct hold_page {
	struct hold_page *next;
	u64 reserved;
	struct kin_hold hold[HOLDS_PER_PAGE];
};

#define WAITERS_PER_PAGE 45
struct waiter_page {
	struct waiter_page *next;
	u64 reserved;
	struct kin_waiter waiter[WAITERS_PER_PAGE];
};

/*
 * Written by the member itself, read at its burial. The waiters are walked by others' burials, too:
 * they are added as the member likes, and taken away with lock held.
 */
struct member_record {
	KIN_LOCK(lock, MEMBER);
	u32 reserved;                /* no lock: unused */
	struct waiter_page *waiters; /* lock to take pages away */
	struct hold_page *holds;     /* no lock: the owner's, then who buries it */
	struct own_records *own;     /* no lock: of the member record, stays */
} __attribute__((aligned(64)));

struct kin_root_area {
	u64 magic; /* no lock: constant */
	void *_Atomic roots[KIN_ROOTS];

	/* Pages: page_lock protects used bits, hints and counts; dirty bits are changed atomically. */
	KIN_LOCK(page_lock, PAGES);
	u32 reserved;
	_Atomic u64 high_page;   /* pages at and above were never handed out */
	u64 first_page;
	u64 hint[RUN_HINTS];     /* word where the search for a run of that size begins */
	u64 pages_used;
	_Atomic u64 dirty_free;  /* free pages with old contents, roughly */
	struct slab_class classes[SLAB_CLASSES];

	KIN_LOCK(fifo_lock, FIFO);   /* which pipe an inode's FIFO is; before a pipe's lock */
	KIN_LOCK(nest_lock, EPOLL_NEST); /* of who puts an epoll into another one */
	_Atomic u32 deaths;              /* of members that were killed; epoll asks */
	_Atomic u64 next_pipe_ino;
	struct kin_queue futexes[FUTEX_BUCKETS]; /* waiters on words in shared memory, by address */

	struct member_record members[MEMBERS_MAX]; /* no lock: each has its own */
};

#define ROOT ((struct kin_root_area *)KIN_ROOT_ADDR)
/*
 * What a host that maps files maps at once around a page that is read. The first pages of data,
 * which nearly every process uses, begin such a piece.
 */
#define HOST_FAULT_AROUND 0x10000
#define KIN_USED_ADDR ALIGN_UP(KIN_ROOT_ADDR + sizeof(struct kin_root_area), HOST_FAULT_AROUND)
#define KIN_DIRTY_ADDR (KIN_USED_ADDR + KIN_BITMAP_WORDS * 8)
#define KIN_DATA_ADDR (KIN_DIRTY_ADDR + KIN_BITMAP_WORDS * 8)

static inline struct member_record *record_self(void)
{
	return &ROOT->members[((struct boot_info *)BOOT_INFO_ADDR)->member];
}

/*
 * Is that generation of the member record over? LIVE members and those on their way in or out are
 * not.
 */
bool member_gone(u32 member, u32 generation);
/* alloc.c: what own.h needs to know of memory, and does with it. */
bool kin_is_page(const void *p);  /* the first of pages, not an object of a slab */
bool kin_is_used(const void *p);
void *kin_alloc_in_hand(size_t size);
void kin_run_free(void *p, struct own_record *r); /* r has it, or NULL */
void kin_pages_settle(void);      /* after the death of a member: of its records for pages */
bool slab_is_used(const void *p);
/* In a recover function: whose lock it was. */
u32 kin_lock_dead(void);
void slabs_init(void);
/* The record of a member whose lists are walked or taken apart. */
void record_lock(struct member_record *r);

/* Queues from the inside, for futexes: all under the queue's lock except queue_lock itself. */
void queue_lock(struct kin_queue *q);
void queue_link(struct kin_queue *q, struct kin_waiter *w);
void queue_detach(struct kin_queue *q, struct kin_waiter *w); /* off the list, w->queue stays */
void queue_unlink(struct kin_queue *q, struct kin_waiter *w); /* nothing of w may be used after */
/*
 * Without a lock, by the owner after a sleep that no wake ended: somebody died while moving w from
 * queue to queue, and nobody finds it there any more.
 */
bool queue_lost(struct kin_waiter *w);
/* Marks w; false if it was marked before or its member is gone. */
bool waiter_mark(struct kin_waiter *w);

/* The members to ring after a queue's lock was released, each once. */
#define RING_BATCH 32
struct ring_set {
	u32 n;
	u16 member[RING_BATCH];
};
/* Did this member wake that one, asleep then, at or after the TSC value? */
bool doorbell_woken_since(u32 member, u64 tsc);
bool ring_add(struct ring_set *r, u32 member); /* true: the set is full now */
void ring_all(struct ring_set *r);

/* Private: what a thread has on loan. t->wait_state. */
struct thread_kin {
	u32 member, generation; /* whose waiters these are: a clone's own list begins empty */
	u32 nwaiters, waiters_cap;
	struct kin_waiter **waiters;
	u32 nborrowed, borrowed_cap;
	struct file **borrowed;
};

#endif
