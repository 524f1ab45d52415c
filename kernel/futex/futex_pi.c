/* SPDX-License-Identifier: ISC */
/*
 * Futexes that hold their owner's thread id: FUTEX_LOCK_PI and its relatives, see futex(2). Threads
 * have no priorities here, so nothing is inherited; what programs rely on is the protocol of the
 * word, and that the lock is handed to the waiter who came first.
 *
 * Why nobody waits for a free lock: a waiter queues itself, then sets FUTEX_WAITERS or takes the
 * free word; the owner looks for waiters and changes the word with one compare-and-swap under the
 * queue's lock. Being handed the lock means being taken off the queue, so a time-out or signal that
 * comes together with it is not reported.
 *
 * A lock whose owner was killed with its whole member stays locked, like a robust one in shared
 * memory (futex.c); who comes for it after that gets ESRCH.
 */
#include <asm/errno.h>
#include <linux/futex.h>

#include "kernel/arch/arch.h"
#include "kernel/futex/futex_internal.h"
#include "kernel/lib/lib.h"
#include "kernel/task/task_hooks.h"
#include "kernel/task/thread.h"

#define CHANGES_MAX 100000

/*
 * 0: the lock is the caller's; -EBUSY: another's, who will notice that somebody waits if announce;
 * -EDEADLK: it was the caller's before.
 */
static s64 lock_take(u64 addr, u32 self, bool announce)
{
	u32 old, want, found;

	if (user_load32((u32 *)addr, &old))
		return -EFAULT;
	for (u32 i = 0; i < CHANGES_MAX; i++, old = found) {
		u32 owner = old & FUTEX_TID_MASK;

		if (owner == self)
			return -EDEADLK;
		want = owner ? old | FUTEX_WAITERS : old | self;
		if (owner && (want == old || !announce))
			return -EBUSY;
		if (user_cmpxchg32((u32 *)addr, old, want, &found))
			return -EFAULT;
		if (found == old)
			return owner ? -EBUSY : 0;
	}
	return -EAGAIN; /* a word that never stays the same is no lock */
}

struct lock_wait {
	u64 addr;
	struct futex_key *key;
	struct kin_waiter *w;
	s64 err;
};

static bool lock_wait_over(void *arg)
{
	struct lock_wait *l = arg;

	l->err = 0;
	if (futex_woken(l->w, l->key))
		return true;
	l->err = lock_take(l->addr, (u32)current->tid, true);
	return l->err != -EBUSY;
}

static s64 lock_wait(u64 addr, struct futex_key *key, u64 deadline_ns)
{
	struct lock_wait l = {.addr = addr, .key = key, .w = waiter_get()};
	s64 err;

	key->addr |= FUTEX_KEY_PI;
	futex_enqueue(l.w, key, (u32)current->tid);
	err = wait_until(NULL, lock_wait_over, &l, deadline_ns, SLEEP_INTERRUPTIBLE);
	if (!err)
		err = l.err;
	/* Off the queue already, or its own in spite of having waited: the lock was handed over. */
	if (!futex_dequeue(l.w, key) || err == -EDEADLK)
		err = 0;
	waiter_put(l.w);
	return err == -EINTR ? -ERESTARTNOINTR : err;
}

/* A word that names no thread is nobody's lock: who waited for that one would wait for ever. */
static s64 owner_check(u64 addr)
{
	u32 word, owner;

	if (user_load32((u32 *)addr, &word))
		return -EFAULT;
	owner = word & FUTEX_TID_MASK;
	tree_lock();
	bool lives = !owner || owner == (u32)current->tid || proc_of_thread((s32)owner);
	tree_unlock();
	return lives ? 0 : -ESRCH;
}

/* The lock, without waiting for it: as lock_take, or -ESRCH. */
static s64 lock_try(u64 addr, bool shared, struct futex_key *key)
{
	s64 err = futex_key_get(addr, shared, key);

	if (!err)
		err = lock_take(addr, (u32)current->tid, false);
	if (err != -EBUSY)
		return err;
	err = owner_check(addr);
	return err ? err : -EBUSY;
}

s64 futex_lock_pi(u64 addr, bool shared, u64 deadline_ns)
{
	struct futex_key key;
	s64 err = lock_try(addr, shared, &key);

	return err == -EBUSY ? lock_wait(addr, &key, deadline_ns) : err;
}

s64 futex_trylock_pi(u64 addr, bool shared)
{
	struct futex_key key;
	s64 err = lock_try(addr, shared, &key);

	return err == -EBUSY ? -EAGAIN : err;
}

static struct kin_waiter *next_waiter(const struct futex_key *key, struct kin_waiter *w)
{
	if (key->queue)
		w = w ? TAILQ_NEXT(w, link) : TAILQ_FIRST(&key->queue->head);
	else
		w = w ? TAILQ_NEXT(w, link) : TAILQ_FIRST(key->list);
	for (; w; w = TAILQ_NEXT(w, link))
		if (w->key == key->addr && !(key->queue && member_gone(w->member, w->generation)))
			return w;
	return NULL;
}

/* Under the queue's lock if shared. *next: who has the lock now, off the queue; NULL: nobody. */
static s64 pass_locked(u64 addr, const struct futex_key *key, u32 tid, u32 flags,
		       struct kin_waiter **next, u32 *member)
{
	struct kin_waiter *w = next_waiter(key, NULL);
	u32 want = flags, old, found;

	*next = NULL;
	if (w)
		want |= w->bits | (next_waiter(key, w) ? FUTEX_WAITERS : 0);
	/* The caller has just written to the page: it is there. */
	if (user_load32((u32 *)addr, &old))
		return -EFAULT;
	for (u32 i = 0;; i++, old = found) {
		if ((old & FUTEX_TID_MASK) != tid)
			return -EPERM;
		if (i == CHANGES_MAX)
			return -EAGAIN;
		if (user_cmpxchg32((u32 *)addr, old, want, &found))
			return -EFAULT;
		if (found == old)
			break;
	}
	*next = w;
	*member = w ? w->member : 0;
	if (w && key->queue) {
		/* Its owner may return as soon as it is off the queue. */
		atomic_store(&w->woken, 1);
		queue_unlink(key->queue, w);
	} else if (w) {
		TAILQ_REMOVE(key->list, w, link);
		w->key = 0;
	}
	return 0;
}

s64 futex_pass_pi(u64 addr, bool shared, u32 tid, u32 flags)
{
	struct futex_key key;
	struct kin_waiter *next;
	u32 old, found, member;
	s64 err = futex_key_get(addr, shared, &key);

	if (err)
		return err;
	key.addr |= FUTEX_KEY_PI;
	if (user_load32((u32 *)addr, &old))
		return -EFAULT;
	if ((old & FUTEX_TID_MASK) != tid)
		return -EPERM;
	if (user_cmpxchg32((u32 *)addr, old, old, &found)) /* a page of its own, now */
		return -EFAULT;
	if (!key.queue) {
		err = pass_locked(addr, &key, tid, flags, &next, &member);
		if (next)
			thread_wake((struct thread *)next->thread);
		return err;
	}
	queue_lock(key.queue);
	err = pass_locked(addr, &key, tid, flags, &next, &member);
	kin_unlock(&key.queue->lock);
	if (next)
		doorbell_ring(member);
	return err;
}

s64 futex_unlock_pi(u64 addr, bool shared)
{
	return futex_pass_pi(addr, shared, (u32)current->tid, 0);
}

/*
 * FUTEX_WAIT_REQUEUE_PI: who is woken takes the lock itself, instead of being moved to its queue:
 * it stands there as soon as it runs.
 */
s64 futex_wait_requeue_pi(u64 addr, u32 value, u64 addr2, bool shared, u64 deadline_ns)
{
	struct futex_key key;
	s64 err = addr == addr2 ? -EINVAL : futex_key_get(addr2, shared, &key);

	if (!err)
		err = futex_wait_once(addr, value, FUTEX_BITSET_MATCH_ANY, shared, deadline_ns);
	if (!err)
		err = futex_lock_pi(addr2, shared, deadline_ns);
	return err == -EINTR ? -ERESTARTNOINTR : err;
}

s64 futex_cmp_requeue_pi(u64 addr, u64 addr2, u32 nwake, u32 nmove, bool shared, u32 expected)
{
	struct futex_key key;
	s64 err = futex_key_get(addr2, shared, &key);

	if (err)
		return err;
	if (addr == addr2 || nwake != 1 || (s32)nmove < 0)
		return -EINVAL;
	return futex_wake_checked(addr, (u32)MIN((u64)nmove + 1, (u64)INT32_MAX), shared, expected);
}
