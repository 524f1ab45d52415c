/* SPDX-License-Identifier: ISC */
/*
 * Locks in kin. The word is 0, or owner index + 1 (13 bits), the owner's generation (18 bits),
 * and a bit that says that somebody sleeps on it. Uncontended: one compare-and-swap to take, one
 * exchange to release.
 *
 * Lost wake-ups: a sleeper sets the waiters bit before it sleeps on the word with that bit, and
 * whoever takes the lock after having slept keeps the bit set, because others may sleep too; the
 * release that clears the bit wakes one. If the woken one, or the releasing one between its two
 * steps, is killed, the others look again after SLEEP_NS. That same time-out is when a dead owner
 * is noticed: members do not die often enough to pay for more.
 */
#include "kernel/kin/root.h"

#include "kernel/arch/arch.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"

#define OWNER_MASK 0x1fffu
#define GENERATION_SHIFT 13
#define GENERATION_MASK 0x3ffffu
#define WAITERS_BIT 0x80000000u
#define SPINS 300            /* a few microseconds: sections are shorter, a wake-up costs 20 */
#define SLEEP_NS 20000000ull

#ifndef KIN_LOCK_RANKS
#define KIN_LOCK_RANKS 0 /* meson option lock_ranks: is the order checked? */
#endif
#define LOCKS_HELD_MAX 24

static u32 held; /* private: locks this member holds now */
static u32 dead; /* private: whose lock was taken over last */

static inline u32 word_self(void)
{
	return (BOOT_INFO->member + 1) | (BOOT_INFO->generation & GENERATION_MASK) << GENERATION_SHIFT;
}

u32 kin_locks_held(void)
{
	return held;
}

bool kin_recover_whole(void *arg)
{
	return true;
}

bool member_gone(u32 member, u32 generation)
{
	struct kin_member *m = &KIN->members[member];
	u32 state = atomic_load(&m->state);

	return state == MEMBER_FREE || state == MEMBER_DEAD ||
	       ((atomic_load(&m->generation) ^ generation) & GENERATION_MASK) != 0;
}

static bool word_orphaned(u32 word)
{
	u32 owner = word & OWNER_MASK;

	if (owner == 0 || owner > MEMBERS_MAX)
		return false;
	return member_gone(owner - 1, word >> GENERATION_SHIFT & GENERATION_MASK);
}

bool kin_lock_orphaned(struct kin_lock *l)
{
	return word_orphaned(atomic_load(&l->word));
}

u32 kin_lock_dead(void)
{
	return dead;
}

/*
 * Takes over the lock of a dead owner. What it was in the middle of is decided before anybody
 * changes what the lock protects. False: somebody else was faster.
 */
static bool lock_inherit(struct kin_lock *l, u32 word, const struct kin_lock_site *site,
			 kin_recover_fn recover, void *arg)
{
	u32 owner = (word & OWNER_MASK) - 1;

	if (!atomic_compare_exchange_strong(&l->word, &word, word_self() | WAITERS_BIT))
		return false;
	/* If its record has a new life it was buried long ago. */
	if (((atomic_load(&KIN->members[owner].generation) ^ word >> GENERATION_SHIFT) &
	     GENERATION_MASK) == 0)
		own_settle(owner);
	dead = owner;
	if (!recover || !recover(arg))
		family_fatal("member %u died holding a lock that cannot be recovered (%s)",
			     owner, site->name);
	return true;
}

static void lock_slow(struct kin_lock *l, const struct kin_lock_site *site, kin_recover_fn recover,
					  void *arg)
{
	u32 self = word_self();

	for (u32 i = 0; i < SPINS; i++) {
		u32 word = atomic_load_explicit(&l->word, memory_order_relaxed);

		if (word == 0 && atomic_compare_exchange_weak(&l->word, &word, self))
			return;
		if ((word & ~WAITERS_BIT) == self)
			kpanic("lock taken twice (%s)", site->name);
		cpu_relax();
	}
	for (;;) {
		u32 word = atomic_load(&l->word);

		if (word == 0) {
			if (atomic_compare_exchange_strong(&l->word, &word, self | WAITERS_BIT))
				return;
			continue;
		}
		if (!(word & WAITERS_BIT) &&
		    !atomic_compare_exchange_strong(&l->word, &word, word | WAITERS_BIT))
			continue;
		word |= WAITERS_BIT;
		host_futex_wait(&l->word, word, SLEEP_NS);
		if (atomic_load(&l->word) == word && word_orphaned(word) &&
		    lock_inherit(l, word, site, recover, arg))
			return;
	}
}

/* ---- the order, in builds that check it */

static struct {
	const struct kin_lock *lock;
	const struct kin_lock_site *site;
} taken[LOCKS_HELD_MAX]; /* private: the first `held` */

static bool in_order(const struct kin_lock *l, const struct kin_lock_site *site, u32 before)
{
	u32 rank = taken[before].site->rank;

	return rank < site->rank || (rank == site->rank && (site->nests || taken[before].lock < l));
}

static void order_check(const struct kin_lock *l, const struct kin_lock_site *site)
{
	for (u32 i = 0; i < held; i++)
		if (!in_order(l, site, i))
			kpanic("lock order: %s (rank %u) was taken while %s (rank %u) is held: see "
				   "kernel/kin/lock_ranks.def",
				   site->name, site->rank, taken[i].site->name, taken[i].site->rank);
	if (held == LOCKS_HELD_MAX)
		kpanic("%u locks are held, and %s is to be the next", held, site->name);
}

/* Only when it is ours: taking a lock over takes others on the way. */
static void order_note(const struct kin_lock *l, const struct kin_lock_site *site)
{
	taken[held].lock = l;
	taken[held].site = site;
}

static void order_forget(const struct kin_lock *l)
{
	u32 i = held - 1;

	while (i && taken[i].lock != l)
		i--;
	for (; i + 1 < held; i++)
		taken[i] = taken[i + 1];
}

/* ---- */

void kin_lock_at(struct kin_lock *l, const struct kin_lock_site *site, kin_recover_fn recover,
				 void *arg)
{
	u32 word = 0;

	if (KIN_LOCK_RANKS)
		order_check(l, site);
	if (!atomic_compare_exchange_strong_explicit(&l->word, &word, word_self(),
						     memory_order_acquire, memory_order_relaxed))
		lock_slow(l, site, recover, arg);
	if (KIN_LOCK_RANKS)
		order_note(l, site);
	held++;
}

void kin_unlock(struct kin_lock *l)
{
	u32 word = atomic_exchange_explicit(&l->word, 0, memory_order_release);

	if ((word & ~WAITERS_BIT) != word_self())
		kpanic("lock at %p released by a member that does not hold it", (void *)l);
	if (KIN_LOCK_RANKS)
		order_forget(l);
	held--;
	if (word & WAITERS_BIT)
		host_futex_wake(&l->word, 1);
}
