/* SPDX-License-Identifier: ISC */
/*
 * Kin from the kernel's side: allocation, owner-aware locks, wait queues, doorbells. Addresses in
 * kin are the same in every member, so objects in kin point to each other directly; they never
 * point to private memory.
 */
#ifndef KERNEL_KIN_KIN_CORE_H
#define KERNEL_KIN_KIN_CORE_H

#include <sys/queue.h>

#include "abi/kin.h"
#include "kernel/kin/kin_hooks.h"
#include "kernel/lib/order.h"

struct thread;

/* First member only: everything after kin_header. Every member (boot and clone): kin_attach. */
void kin_init(void);
void kin_attach(void);

/*
 * Where each part of the kernel keeps the address of its structures in kin: a fresh monitor (exec
 * of a vfork child) starts with an empty .bss and finds them here. Set by the first member,
 * before KIN->ready.
 */
enum kin_root {
	ROOT_PROC,
	ROOT_VFS,
	ROOT_FUTEX,
	ROOT_FILES,
	ROOT_LOCKS,
	ROOT_MM,
	ROOT_TIME,
	ROOT_NET,
	ROOT_IPC,
	ROOT_TUNABLES,
	ROOT_CUTS,
	ROOT_MQUEUE,
	ROOT_SIGNALFD,
	ROOT_PIDFD,
	ROOT_PTY,
	ROOT_SITES,
	ROOT_INET,
	ROOT_LEASES,
	ROOT_REMOTE,
	ROOT_TRACE,
	KIN_ROOTS
};
void *kin_root_get(enum kin_root root);
void kin_root_set(enum kin_root root, void *p);

/*
 * Memory. Zeroed. kin_alloc: any size up to 1 MiB, 16-byte aligned; NULL if kin is full. It is lost
 * if the member is killed before somebody owns it: own.h has what is not. kin_free: what kin_alloc
 * or kin_pages_alloc gave out, whose size they know; NULL is nothing.
 */
void *kin_alloc(size_t size);
void kin_free(void *p);
/* Whole pages, physically contiguous in kin, zeroed when handed out. */
void *kin_pages_alloc(size_t npages);
void kin_pages_free(void *p, size_t npages);
/* The same without the zeroing, for buffers whose content is written before it is read. */
void *kin_pages_alloc_raw(size_t npages);
/*
 * What applications fill, files and shared memory, gets NULL while there is still room for the
 * kernel's own structures: a full /tmp stops no fork, pipe or exit. What cannot do without gets the
 * very last pages.
 */
void *kin_pages_alloc_data(size_t npages);
void *kin_pages_alloc_last(size_t npages);
u64 kin_pages_used(void);
/* What programs are told of the size of memory, in bytes: --memory, or a figure. */
static inline u64 memory_total(void)
{
	u64 limit = ((struct kin_header *)KIN_BASE)->memory_limit;

	return limit ? limit : 8ull << 30;
}
/*
 * A lock in kin. The word holds the owner's member index and generation, so that a lock whose
 * owner died is noticed: then the family ends with one message, unless recover was given and
 * returns true (the structure is whole again). Short sections only: no hypercall but the lock's
 * own while holding one, no copy to or from application memory unless the lock's comment allows
 * it (a fault may sleep). Not recursive.
 *
 * Order: each lock has a rank of lock_ranks.def, named where it is declared, and is taken only
 * while all that are held have a lower one. Two of one rank are taken in the order of their
 * addresses, or where kin_lock_nested says why they may be.
 */
struct kin_lock {
	_Atomic u32 word;
};
enum kin_rank {
	RANK_OF_NOTHING,
#define LOCK_RANK(name, what) RANK_##name,
#include "kernel/kin/lock_ranks.def"
#undef LOCK_RANK
};
/* A field that is a lock; its rank is the size of something that takes no room beside it. */
#define KIN_LOCK(field, rank)            \
	char field##_rank[0][RANK_##rank]; \
	struct kin_lock field
#define KIN_LOCKS(field, n, rank) struct kin_lock field[n] /* for kin_lock_ranked */

/* Where a lock is taken. */
struct kin_lock_site {
	const char *name;
	u32 rank;
	const char *nests; /* why it may be taken with another of its rank held; NULL: by address */
};
#define KIN_LOCK_SITE(...) ({ static const struct kin_lock_site site = {__VA_ARGS__}; &site; })
#define KIN_LOCK_NAME(l) __FILE__ ": " #l

typedef bool (*kin_recover_fn)(void *arg);
void kin_lock_at(struct kin_lock *l, const struct kin_lock_site *site, kin_recover_fn recover,
				 void *arg);
/* l: an expression that ends with the name of the field. */
#define kin_lock_nested(l, recover, arg, why)                                                  \
	kin_lock_at((l), KIN_LOCK_SITE(KIN_LOCK_NAME(l), sizeof((*l##_rank)[0]), (why)), (recover), \
				(arg))
#define kin_lock_recover(l, recover, arg) kin_lock_nested(l, recover, arg, NULL)
#define kin_lock(l) kin_lock_nested(l, NULL, NULL, NULL)
/* The same for a pointer to a lock, with its rank. */
#define kin_lock_ranked(l, rank, recover, arg) \
	kin_lock_at((l), KIN_LOCK_SITE(KIN_LOCK_NAME(l), RANK_##rank, NULL), (recover), (arg))
void kin_unlock(struct kin_lock *l);
/* A recover for structures that every single store leaves whole. */
bool kin_recover_whole(void *arg);
/* By this member; 0 whenever it sleeps, forks or returns to the application. */
u32 kin_locks_held(void);
/* True if l is held by a member that is DEAD or gone. */
bool kin_lock_orphaned(struct kin_lock *l);

/*
 * Wait queues. A waiter lives in kin and belongs to one thread of one member.
 *
 * To wait is wait_until (kin_hooks.h). Who waits on several queues gets a waiter for each with
 * waiter_get, adds it before it looks, sleeps, and removes and puts it back.
 *
 * queue_wake marks waiters and rings the doorbells of their members. It takes the queue's own lock
 * only, and those of epolls that are told.
 *
 * A hook is a waiter that stays: of an epoll (kernel/event/epoll.h), which is told of each wake and
 * has its own queue woken. It is no member's.
 */
#define HOOK_MEMBER (~0u)
/* Another kind of hook: of an open file whose owner gets a signal (kernel/fd/fd_owner.c). */
#define OWNER_MEMBER (~0u - 1)
struct kin_waiter {
	TAILQ_ENTRY(kin_waiter) link;
	struct kin_queue *queue; /* NULL while not queued; queue->lock protects link and this */
	u32 member, generation;
	_Atomic u32 woken;
	u32 exclusive;
	u64 thread;              /* the owner's private struct thread; only the owner follows it */
	u64 key;                 /* futexes: the address waited for; hooks: the item */
	u32 bits;                /* hooks: EPOLL*, what a wake of this queue stands for */
	u32 index;
};
struct kin_queue {
	KIN_LOCK(lock, QUEUE);
	_Atomic u32 count;       /* waiters queued, readable without the lock: 0 is nothing to wake */
	TAILQ_HEAD(, kin_waiter) head; /* lock */
};
void queue_init(struct kin_queue *q);
void queue_add(struct kin_queue *q, struct kin_waiter *w);
bool queue_remove(struct kin_waiter *w); /* false: it was off already */
/* Before its memory is freed: waiters of the dead may be left. */
void queue_destroy(struct kin_queue *q);
void queue_wake(struct kin_queue *q, u32 max); /* max exclusive waiters, and all others */
/* The same for a wake that nothing new is behind: one sleeper passes it on to the next, no hook. */
void queue_pass_on(struct kin_queue *q, u32 max);
/* Does somebody sleep on it? Hooks do not count. */
bool queue_has_sleeper(struct kin_queue *q);
static inline void queue_wake_all(struct kin_queue *q) { queue_wake(q, ~0u); }
/*
 * The same, saying what has happened, EPOLL*: otherwise it is what the queue stands for. For the
 * owners of files, who are told only of EPOLLIN, EPOLLOUT, EPOLLHUP.
 */
#define WAKE_NO_OWNER (1u << 31)
void queue_wake_for(struct kin_queue *q, u32 events);
/*
 * Burial of a dead member, and the last step of a normal exit (of itself, after fdtable_release):
 * takes its waiters off their queues, passes on the wakes they had, drops the files it held during
 * calls, and finishes what it died in the middle of.
 */
void waiters_bury(u32 member, u32 generation);
/* Doorbells. Rings are remembered: a member that is not asleep sees the new sequence first. */
void doorbell_ring(u32 member);
/*
 * Interrupt a member that may be computing: sets kicked, the mailbox bit, and notifies the
 * supervisor if it runs or polls.
 */
void member_kick(u32 member);
/* A FREE record becomes CLONING or SPAWNING: index, or -EAGAIN. */
int member_alloc(u32 state);
/*
 * Records are taken lowest first: the first that was never used ends every search. In this order,
 * because a record that was just taken has no generation yet.
 */
static inline bool member_used(u32 index)
{
	struct kin_member *m = &KIN->members[index];

	return index < MEMBERS_MAX && (m->state != MEMBER_FREE || m->generation != 0);
}
void member_free(u32 index);
static inline struct kin_member *member_self(void);

/*
 * Memory objects: pages in kin found by index. Used by tmpfs files, shared anonymous memory, memfd,
 * System V shm. Counted (OWN_OBJECT of own.h): files and mappings. Pages are allocated on first
 * use, in contiguous runs where possible.
 *
 * A page stays valid while the caller excludes object_truncate (the file system's inode lock) or
 * holds a reference of its own beside the owner's: truncation of an object with more than one
 * reference clears the pages and keeps them, because a mapping may still reach them.
 */
struct kin_object;
/* In hand. npages != 0: reserve one contiguous run if there is one. */
struct kin_object *object_create(u64 npages);
/*
 * Address of page index, allocated if create; NULL: hole or no memory. *run (if not NULL): pages
 * contiguous from it (>= 1).
 */
void *object_page(struct kin_object *o, u64 index, bool create, u64 *run);
void object_truncate(struct kin_object *o, u64 npages); /* frees pages at index >= npages */
u64 object_pages(struct kin_object *o);                 /* pages present */
u32 object_refs(const struct kin_object *o);
/* Clears pages [first, first + n) that are present, or frees them if nothing else can map them. */
void object_punch(struct kin_object *o, u64 first, u64 n);

/*
 * Adds this member's counts since the last call to KIN->stats and to its own record; a clone's
 * counts begin at 0. (kernel/kin/stats.c)
 */
void stats_flush(void);
void stats_fork_child(void);

#include "abi/boot.h"
#include "abi/hypercall.h"
static inline struct kin_member *member_self(void)
{
	return &KIN->members[((struct boot_info *)BOOT_INFO_ADDR)->member];
}

#endif
