/* SPDX-License-Identifier: ISC */
/*
 * The kit that keeps kin whole when a member is killed at any instruction. What lies in kin belongs
 * to somebody at every moment, and where it belongs is decided by single stores, so that those who
 * live can tell. There are three kinds of owners:
 *
 * - a slot: a pointer in an object of kin (a descriptor's entry, a message's list of files);
 * - a hold: a slot of the member itself, for as long as a call needs something, sleeps included.
 *   There are as many as are needed;
 * - a record: what the member does at this instruction. There are a few, and none is in use while
 *   it sleeps, forks or returns to the application.
 *
 * A step from one owner to the next is written down in a record first, then made by one store to
 * the slot, then forgotten. Of a record that a dead member left, the slot says on which side of the
 * store it died:
 *
 *	own_new    memory is the record's        own_give   the slot's, from the record
 *	own_take   the record's, from the slot   own_free   nobody's
 *
 * Objects with several owners count them; each owner has a share. A count changes at another moment
 * than the slot, and others change it, too: so it bears the mark of who changed it last, and who
 * changes it next tells that one's member before (ref.c). Thus of a record can be said whether its
 * change was made, and nothing is ever counted anew.
 *
 *	ref_get    one share more: the slot's    ref_put    one less; the last releases the object
 *	ref_move   from one slot to another      ref_detach, ref_drop   ref_put in two steps
 *
 * Slots that other members change are protected by a lock, which is held from the first to the last
 * step (between ref_detach and ref_drop it may be released). If its owner dies, whoever takes the
 * lock over decides the records of the dead first (own_settle, lock.c); the rest is done at the
 * burial (own_bury), without locks. What a release does may therefore be done a second time.
 */
#ifndef KERNEL_KIN_OWN_H
#define KERNEL_KIN_OWN_H

#include <stdatomic.h>

#include "kernel/kin/kin_core.h"

/* A slot of pointers like what, as what the kit takes. */
#define OWN_SLOT(slot, what) ((void **)((void)sizeof(*(slot) == (what)), (slot)))

/* What can be owned. Each has a row in own_kinds (kernel/boot/own_kinds.c). */
enum own_kind {
	OWN_MEMORY, /* of kin_alloc and kin_pages_alloc, and nothing that hangs on it */
	OWN_FILE,
	OWN_TABLE,
	OWN_PIPE,
	OWN_OBJECT,
	OWN_PASSED,
	OWN_MSG,
	OWN_SOCKET,
	OWN_CONN,
	OWN_EPOLL,
	OWN_WRITER,   /* of an inode: who may write to it; counts only */
	OWN_EXECUTOR, /* who executes it */
	OWN_INODE,
	OWN_NAME,     /* an entry of a directory */
	OWN_KINDS
};

/*
 * The number of owners of an object. word: the number; above it the mark of the record whose change
 * was the last: its number, its member, its serial.
 */
struct kin_ref {
	_Atomic u64 word;
};
#define REF_BITS 26
#define REF_SERIAL_BITS 22
#define REF_SERIAL_MASK ((1u << REF_SERIAL_BITS) - 1)
static inline u32 ref_count(const struct kin_ref *r)
{
	return (u32)(atomic_load(&r->word) & ((1u << REF_BITS) - 1));
}
/* Of an object that nobody else sees yet. */
static inline void ref_init(struct kin_ref *r, u32 n)
{
	atomic_store_explicit(&r->word, n, memory_order_relaxed);
}

#define OWN_NO_REF (~0u)
struct own_ops {
	const char *name;
	u32 ref_at; /* offset of its struct kin_ref, or OWN_NO_REF: one owner at a time */
	/* The object lives by shares of another kind, which are given up later than these. */
	bool only_counts;
	/*
	 * Lets go of all that hangs on the object, but not of its memory. No locks are held. May be
	 * called again if the member died in it: what was let go of is not there any more.
	 */
	void (*release)(void *what);
	/*
	 * NULL: the memory goes back to the allocator. Else this puts what is in hand where it belongs.
	 */
	void (*free)(void *what);
};
extern const struct own_ops *const own_kinds[OWN_KINDS];
extern const struct own_ops memory_own_ops;

enum own_step {
	STEP_ALLOCATING = 1, /* memory: perhaps not marked as used yet; slot: its pages */
	STEP_FREEING,        /* or not marked as free */
	STEP_IN_HAND,        /* the record's, unless the slot has it */
	STEP_TAKING_RUN,     /* pages of slots one after the other, unless the first has its page */
	STEP_RAISING,        /* a count goes up, then the slot has it */
	STEP_DROPPING,       /* unless the slot has it still: a count goes down */
	STEP_OWED,           /* a count is to go down */
	STEP_RELEASING,      /* unless the slot has it still: it did, to 0 */
	STEP_MOVING,         /* the slot has it, or from */
};

/* what is stored last and cleared first. */
struct own_record {
	void *what;
	void **slot; /* NULL: decided */
	void **from;
	union {
		void *next; /* for *from */
		u64 pages;  /* of memory that was not given to a slot yet; 0: not known here */
	};
	u32 serial; /* rises with the time of begin */
	union {
		struct {
			u16 kind, step;
		};
		u32 kind_and_step; /* to change both by one store */
	};
};
#define OWN_RECORDS 12 /* so that the whole has a size of the allocator that is aligned */
/* Of a member record, for as long as the family lives. done: written by others, see ref.c. */
struct own_records {
	struct own_record record[OWN_RECORDS]; /* the owner's while it lives, then lock */
	KIN_LOCK(lock, RECORDS); /* of the dead: who decides them; innermost but for the allocator's */
	u32 serial; /* no lock: the owner's; the last one given to a record */
	_Atomic u32 done[OWN_RECORDS] __attribute__((aligned(64)));
};

/*
 * Zeroed memory for an object of that kind, in hand; NULL: kin is full. Its count, if it has one,
 * begins with ref_init(1) before anybody else gets a share: what is in hand is one.
 */
void *own_new(enum own_kind kind, size_t size);
/* Pages, in hand. What they are for is as for kin_pages_alloc and its relatives. */
enum own_pages_for { PAGES_ZERO, PAGES_RAW, PAGES_DATA, PAGES_LAST };
void *own_pages(size_t npages, enum own_pages_for what_for);
/* Exactly this page, zeroed, for data, in hand, if it is free; false otherwise. */
bool own_page_at(void *p);
/* What is in hand is filled in now: it is an object of that kind. */
void own_is(void *what, enum own_kind kind);
/*
 * What is in hand goes into the slot. A slot for pages may use the low bits of its word for
 * something else: own_give_as.
 */
#define own_give(slot, what) own_give_to(OWN_SLOT(slot, what), (what))
#define own_give_if(slot, maybe) own_give_if_any(OWN_SLOT(slot, maybe), (maybe)) /* or NULL */
void own_give_to(void **slot, void *what);
static inline bool own_give_if_any(void **slot, void *what)
{
	if (what)
		own_give_to(slot, what);
	return what != NULL;
}
void own_give_as(u64 *slot, void *what, u64 word);
/* What the slot has is in hand, the slot has next. NULL: there was nothing. */
#define own_take(kind, slot, next) own_take_from((kind), (void **)(slot), (next))
void *own_take_from(enum own_kind kind, void **slot, void *next);
void *own_take_as(enum own_kind kind, u64 *slot); /* pages, of a slot that uses the low bits */
/* Pages that follow each other, of n slots one after the other. */
void *own_take_run(void **slot, u64 n);
/* Memory in hand goes into the slot, and what that had is in hand. */
#define own_exchange(slot, what) \
	((__typeof__(what))own_exchange_with(OWN_SLOT(slot, what), (what)))
void *own_exchange_with(void **slot, void *what);
void *own_exchange_as(u64 *slot, void *what, u64 word);
/* From slot to slot; what *to had is not lost, such as the rest of a list. */
#define own_move(kind, from, to) ref_move_on((kind), OWN_SLOT(from, *(to)), (void **)(to), NULL)
/* What is in hand is released, and its memory is free, or its share goes. NULL: nothing. */
void own_free(void *what);

#define ref_get(kind, what, slot) ref_get_for((kind), (what), OWN_SLOT(slot, what))
void ref_get_for(enum own_kind kind, void *what, void **slot);
/* The same if the object has an owner yet; false: it is being released. */
bool ref_get_unless_gone(enum own_kind kind, void *what, void **slot);
/* The slot's share goes; nothing if it has none. */
#define ref_put(kind, slot) ref_put_of((kind), (void **)(slot))
void ref_put_of(enum own_kind kind, void **slot);
#define ref_move(kind, from, to) ref_move_to((kind), OWN_SLOT(from, *(to)), (void **)(to))
void ref_move_to(enum own_kind kind, void **from, void **to);
/* The same for the head of a list: *to was NULL, *from has next afterwards. */
#define ref_move_head(kind, from, to, next) \
	ref_move_on((kind), OWN_SLOT(from, next), (void **)(to), (next))
void ref_move_on(enum own_kind kind, void **from, void **to, void *next);
/*
 * ref_put under a lock, which need not be held for the release: the slot has next. What ref_drop
 * gets may be NULL.
 */
struct own_record *ref_detach(enum own_kind kind, void **slot, void *next);
void ref_drop(struct own_record *r);
/*
 * In two steps as well, with what takes its place: *from moves to the slot, and what the slot had
 * is dropped by ref_drop.
 */
struct own_record *ref_replace(enum own_kind kind, void **from, void **slot);

/* ---- holds of this member */
struct kin_hold {
	void *what; /* NULL: free */
	u64 kind;
};
/* A free one of that kind, to be filled as a slot. Ends the family where there is no memory. */
void **hold_new(enum own_kind kind);
/* The last hold of what, or NULL. */
void **hold_of(enum own_kind kind, const void *what);

/* ---- for lock.c, alloc.c, slab.c, member.c, fork and those who bury */
int own_prepare(u32 member);  /* before it lives: its records. 0 or -ENOMEM */
void own_fork_child(void);    /* the parent's records are not ours */
void own_settle(u32 dead);
void own_bury(u32 member);    /* its records and holds; of this one, at its exit: the holds */
struct own_record *own_begin(enum own_kind kind, enum own_step step, void **slot, void *what);
struct own_record *own_begin_pages(enum own_step step, void *first, u64 npages);
void own_end(struct own_record *r);
/* The record that has this, or NULL. */
struct own_record *own_in_hand(const void *what);
bool own_idle(void); /* no record is in use */
bool own_doing(u32 index, u32 serial); /* is that record at work? */
/* ref.c: the count of what r is about, changed; the new number. */
u32 ref_change(struct own_record *r, s32 by);
bool ref_raise_unless_gone(struct own_record *r);
/* Of a dead member's record: was its change made? And did it make the last count 0? */
bool ref_changed(u32 member, const struct own_record *r);
bool ref_is_last(u32 member, const struct own_record *r);
bool ref_later(u32 a, u32 b); /* of serial numbers */
/* hold.c */
void holds_bury(u32 member);

#endif
