/* SPDX-License-Identifier: ISC */
/*
 * Records: what this member does at this instruction, how each step is made, and how what a dead
 * member left is decided and finished. See own.h.
 *
 * Deciding (own_settle) may happen at any time after the death and more than once: by whoever takes
 * over a lock of the dead, before it looks at what the lock protects, and by the burier. It reads
 * slots and marks, and changes the dead's records only. A record that is decided has no slot.
 * Finishing is the burier's: it takes a step of the dead into a record of its own, with the dead's
 * record as the slot, and so may be killed, too.
 */
#include "kernel/kin/own.h"

#include <asm/errno.h>

#include "kernel/arch/arch.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"

const struct own_ops memory_own_ops = {.name = "memory", .ref_at = OWN_NO_REF};

static u32 busy; /* private: bits of the records in use */

static inline struct own_records *own_self(void)
{
	return record_self()->own;
}

int own_prepare(u32 member)
{
	struct member_record *r = &ROOT->members[member];

	if (r->own)
		return 0;
	/* The first member has none itself yet. */
	struct own_records *own = own_self() ? own_new(OWN_MEMORY, sizeof(*own))
										 : kin_alloc(sizeof(*own));
	if (!own)
		return -ENOMEM;
	if (own_self())
		own_give(&r->own, own);
	else
		publish(&r->own, own);
	return 0;
}

/*
 * A read before anything else there: the host maps what lies around a page that is read, but not
 * around one that is written.
 */
void own_fork_child(void)
{
	(void)observe(&own_self()->serial);
	busy = 0;
}

bool own_idle(void)
{
	return busy == 0;
}

static struct own_record *begin(enum own_kind kind, enum own_step step, void **slot, u64 pages,
				void *what)
{
	struct own_records *own = own_self();
	u32 index = (u32)__builtin_ctz(~busy);
	struct own_record *r = &own->record[index];

	if (index >= OWN_RECORDS)
		kpanic("more is in hand than there are records (%s)", own_kinds[kind]->name);
	kassert(!slot || (u64)slot >= KIN_BASE);
	busy |= 1u << index;
	r->slot = slot;
	r->from = NULL;
	r->pages = pages;
	own->serial = (own->serial + 1) & REF_SERIAL_MASK;
	own->serial += !own->serial;
	r->serial = own->serial;
	r->kind = (u16)kind;
	r->step = (u16)step;
	publish(&r->what, what);
	return r;
}

struct own_record *own_begin(enum own_kind kind, enum own_step step, void **slot, void *what)
{
	return begin(kind, step, slot, 0, what);
}

struct own_record *own_begin_pages(enum own_step step, void *first, u64 npages)
{
	return begin(OWN_MEMORY, step, NULL, npages, first);
}

void own_end(struct own_record *r)
{
	publish(&r->what, NULL);
	busy &= ~(1u << (r - own_self()->record));
}

bool own_doing(u32 index, u32 serial)
{
	return busy >> index & 1 && own_self()->record[index].serial == serial;
}

struct own_record *own_in_hand(const void *what)
{
	struct own_records *own = own_self();

	for (u32 bits = busy; bits;) {
		u32 index = 31 - (u32)__builtin_clz(bits);
		struct own_record *r = &own->record[index];

		if (r->what == what && r->step == STEP_IN_HAND)
			return r;
		bits &= ~(1u << index);
	}
	return NULL;
}

/* ---- steps */

void *own_new(enum own_kind kind, size_t size)
{
	void *p = kin_alloc_in_hand(size);

	if (p && kind != OWN_MEMORY)
		own_is(p, kind); /* it is clear by now */
	return p;
}

void own_is(void *what, enum own_kind kind)
{
	publish(&own_in_hand(what)->kind, (u16)kind);
}

/* Is what is in hand one share of several, perhaps? */
static bool is_share(const struct own_record *r)
{
	u32 at = own_kinds[r->kind]->ref_at;

	return at != OWN_NO_REF && ref_count((struct kin_ref *)((char *)r->what + at));
}

/* What a slot has: pages leave room in its word. */
static inline void *of_word(u64 word, const void *what)
{
	return (void *)(kin_is_page(what) ? word & PAGE_MASK : word);
}

void own_give_as(u64 *slot, void *what, u64 word)
{
	struct own_record *r = own_in_hand(what);

	kassert(r && (u64)slot >= KIN_BASE);
	publish(&r->slot, (void **)slot);
	publish(slot, word);
	own_end(r);
}

void own_give_to(void **slot, void *what)
{
	own_give_as((u64 *)slot, what, (u64)what);
}

static void *take(enum own_kind kind, void **slot, void *what, void *next)
{
	if (!what)
		return NULL;
	struct own_record *r = own_begin(kind, STEP_IN_HAND, slot, what);
	publish(slot, next);
	publish(&r->slot, NULL);
	return what;
}

void *own_take_from(enum own_kind kind, void **slot, void *next)
{
	return take(kind, slot, *slot, next);
}

void *own_take_as(enum own_kind kind, u64 *slot)
{
	return take(kind, (void **)slot, (void *)(*slot & PAGE_MASK), NULL);
}

/* The store to the first slot decides. */
void *own_take_run(void **slot, u64 n)
{
	void *first = *slot;
	struct own_record *r = begin(OWN_MEMORY, STEP_TAKING_RUN, slot, n, first);

	publish(slot, NULL);
	for (u64 i = 1; i < n; i++)
		slot[i] = NULL;
	publish(&r->slot, NULL);
	publish(&r->step, STEP_IN_HAND);
	return first;
}

static void *exchange(u64 *slot, void *old, void *what, u64 word)
{
	struct own_record *given = own_in_hand(what), *taken = NULL;

	kassert(given);
	if (old)
		taken = own_begin(OWN_MEMORY, STEP_IN_HAND, (void **)slot, old);
	publish(&given->slot, (void **)slot);
	publish(slot, word);
	own_end(given);
	if (taken)
		publish(&taken->slot, NULL);
	return old;
}

void *own_exchange_with(void **slot, void *what)
{
	return exchange((u64 *)slot, *slot, what, (u64)what);
}

void *own_exchange_as(u64 *slot, void *what, u64 word)
{
	return exchange(slot, (void *)(*slot & PAGE_MASK), what, word);
}

/* All that hangs on it, then its memory. */
static void release(struct own_record *r)
{
	const struct own_ops *ops = own_kinds[r->kind];

	if (ops->release)
		ops->release(r->what);
	publish(&r->kind_and_step, (u32)STEP_IN_HAND << 16 | (ops->free ? r->kind : OWN_MEMORY));
	if (ops->free)
		ops->free(r->what);
	else
		kin_free(r->what);
}

void own_free(void *what)
{
	struct own_record *r = what ? own_in_hand(what) : NULL;

	if (!r)
		return;
	if (!is_share(r)) {
		release(r);
		return;
	}
	publish(&r->step, STEP_DROPPING);
	ref_drop(r);
}

void ref_get_for(enum own_kind kind, void *what, void **slot)
{
	struct own_record *r = own_begin(kind, STEP_RAISING, slot, what);

	ref_change(r, 1);
	publish(slot, what);
	own_end(r);
}

bool ref_get_unless_gone(enum own_kind kind, void *what, void **slot)
{
	struct own_record *r = own_begin(kind, STEP_RAISING, slot, what);
	bool there = ref_raise_unless_gone(r);

	if (there)
		publish(slot, what);
	own_end(r);
	return there;
}

struct own_record *ref_detach(enum own_kind kind, void **slot, void *next)
{
	void *what = *slot;

	if (!what)
		return NULL;
	struct own_record *r = own_begin(kind, STEP_DROPPING, slot, what);
	publish(slot, next);
	publish(&r->slot, NULL);
	return r;
}

void ref_drop(struct own_record *r)
{
	if (!r)
		return;
	if (ref_change(r, -1) == 0 && !own_kinds[r->kind]->only_counts)
		release(r);
	else
		own_end(r);
}

void ref_put_of(enum own_kind kind, void **slot)
{
	ref_drop(ref_detach(kind, slot, NULL));
}

void ref_move_to(enum own_kind kind, void **from, void **to)
{
	ref_drop(ref_replace(kind, from, to));
}

void ref_move_on(enum own_kind kind, void **from, void **to, void *next)
{
	struct own_record *r = own_begin(kind, STEP_MOVING, to, *from);

	r->next = next;
	publish(&r->from, from);
	publish(to, *from);
	publish(from, next);
	own_end(r);
}

struct own_record *ref_replace(enum own_kind kind, void **from, void **slot)
{
	void *old = *slot;

	if (*from == old) /* one share of two goes */
		return ref_detach(kind, from, NULL);
	struct own_record *dropped = old ? own_begin(kind, STEP_DROPPING, slot, old) : NULL;
	ref_move_on(kind, from, slot, NULL);
	if (dropped)
		publish(&dropped->slot, NULL);
	return dropped;
}

/* ---- of the dead: deciding */

static void forget(struct own_record *r)
{
	publish(&r->what, NULL);
}

/* On which side of the store to its slot did the step end? */
static void decide(u32 dead, struct own_record *r)
{
	bool has = r->slot && of_word(*(u64 *)r->slot, r->what) == r->what;

	switch (r->step) {
	case STEP_ALLOCATING: /* pages: with their lock, alloc.c */
		if (!kin_is_page(r->what) && kin_is_used(r->what))
			publish(&r->step, STEP_IN_HAND);
		else if (!kin_is_page(r->what))
			forget(r);
		break;
	case STEP_IN_HAND:
		if (has || !kin_is_used(r->what))
			forget(r);
		else
			publish(&r->slot, NULL);
		break;
	case STEP_TAKING_RUN:
		if (has) {
			forget(r);
			break;
		}
		for (u64 i = 1; r->slot && i < r->pages; i++)
			if (r->slot[i] == (char *)r->what + i * PAGE_SIZE)
				r->slot[i] = NULL;
		publish(&r->slot, NULL);
		publish(&r->step, STEP_IN_HAND);
		break;
	case STEP_RAISING:
		if (has || !ref_changed(dead, r))
			forget(r);
		else
			publish(&r->step, STEP_OWED);
		break;
	case STEP_DROPPING:
	case STEP_RELEASING:
		if (has)
			forget(r);
		else
			publish(&r->slot, NULL);
		break;
	case STEP_MOVING:
		if (has && r->from && *r->from == r->what)
			publish(r->from, r->next);
		forget(r);
		break;
	default: break;
	}
}

void own_settle(u32 dead)
{
	struct own_records *own = ROOT->members[dead].own;

	if (!own)
		return;
	kin_lock_recover(&own->lock, kin_recover_whole, NULL);
	for (u32 i = 0; i < OWN_RECORDS; i++)
		if (own->record[i].what)
			decide(dead, &own->record[i]);
	kin_unlock(&own->lock);
}

/* ---- of the dead: finishing */

/* The burier goes on with the step. */
static struct own_record *take_over(struct own_record *r, enum own_step step)
{
	u64 pages = r->step == STEP_IN_HAND ? r->pages : 0;
	struct own_record *mine = begin(r->kind, step, &r->what, pages, r->what);

	publish(&r->what, NULL);
	publish(&mine->slot, NULL);
	return mine;
}

static void finish(u32 dead, struct own_record *r)
{
	switch (r->step) {
	case STEP_IN_HAND:
		if (is_share(r))
			ref_drop(take_over(r, STEP_DROPPING));
		else
			release(take_over(r, STEP_IN_HAND));
		break;
	case STEP_RELEASING: release(take_over(r, STEP_RELEASING)); break;
	case STEP_OWED: ref_drop(take_over(r, STEP_DROPPING)); break;
	case STEP_DROPPING:
		if (!ref_changed(dead, r))
			ref_drop(take_over(r, STEP_DROPPING));
		else if (!own_kinds[r->kind]->only_counts && ref_is_last(dead, r))
			release(take_over(r, STEP_RELEASING));
		break;
	default: break;
	}
	forget(r);
}

/* The latest first: what was done in the middle of something else. */
static struct own_record *latest(struct own_records *own)
{
	struct own_record *found = NULL;

	for (u32 i = 0; i < OWN_RECORDS; i++) {
		struct own_record *r = &own->record[i];

		if (r->what && (!found || ref_later(r->serial, found->serial)))
			found = r;
	}
	return found;
}

static void bury_records(u32 dead)
{
	struct own_records *own = ROOT->members[dead].own;
	struct own_record *r;

	if (!own)
		return;
	kin_pages_settle();
	own_settle(dead);
	while ((r = latest(own)))
		finish(dead, r);
}

void own_bury(u32 member)
{
	if (member != BOOT_INFO->member)
		bury_records(member);
	holds_bury(member);
}
