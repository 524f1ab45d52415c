/* SPDX-License-Identifier: ISC */
/*
 * futex(2). Waiters on shared words stand in hashed queues in kin, those on private words in
 * hashed lists of this member.
 *
 * Why no wake is lost: a waiter queues itself first and then reads the word; whoever wakes has
 * changed the word before it looks at the queue. Being taken off the queue is what ends a wait,
 * so a wake and a time-out or signal that come together cannot both be reported.
 *
 * Death: a killed member's waiters are buried with it, and a wake that one of them had taken is
 * passed on. The robust mutexes it held in private memory concern nobody any more; those in
 * shared memory stay locked, because their list is in private memory that is gone (a thread that
 * exits, also by a fatal signal inside, walks its list).
 */
#include "kernel/futex/futex.h"
#include "kernel/task/task_hooks.h"
#include "kernel/task/thread.h"

#include <asm/errno.h>
#include <linux/futex.h>

#include "kernel/arch/arch.h"
#include "kernel/futex/futex_internal.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/cred.h"
#include "kernel/time/time.h"

#define PRIVATE_BUCKETS 64
#define ROBUST_LIMIT 2048
#define HASH_MULTIPLIER 0x9e3779b97f4a7c15ull
#define WAKE_OP_TRIES 1000

static struct waiter_list private_lists[PRIVATE_BUCKETS];
static bool private_lists_used; /* most programs never wait so, and their forks clear nothing */

void futexes_init(void)
{
	for (u32 i = 0; i < FUTEX_BUCKETS; i++)
		queue_init(&ROOT->futexes[i]);
}

void futexes_fork_child(void)
{
	for (u32 i = 0; private_lists_used && i < PRIVATE_BUCKETS; i++)
		TAILQ_INIT(&private_lists[i]);
}

static u64 addr_hash(u64 addr)
{
	return (addr >> 2) * HASH_MULTIPLIER >> 32;
}

static struct kin_queue *shared_queue(u64 kin)
{
	return &ROOT->futexes[addr_hash(kin) % FUTEX_BUCKETS];
}

s64 futex_key_get(u64 addr, bool shared, struct futex_key *key)
{
	u64 kin = 0;
	u32 now;

	if (addr % sizeof(u32))
		return -EINVAL;
	if (addr >= USER_ADDRESS_END)
		return -EFAULT;
	/* Which memory it is matters only where others may have it, too: then it must be there. */
	if (shared && user_load32((u32 *)addr, &now))
		return -EFAULT;
	if (shared)
		kin = mm_shared_key(current->proc->mm, addr);
	key->addr = kin ? kin : addr;
	key->queue = kin ? shared_queue(kin) : NULL;
	key->list = kin ? NULL : &private_lists[addr_hash(addr) % PRIVATE_BUCKETS];
	if (key->list && !key->list->tqh_last) {
		TAILQ_INIT(key->list);
		private_lists_used = true;
	}
	return 0;
}

/* ---- waiting */

void futex_enqueue(struct kin_waiter *w, const struct futex_key *key, u32 bits)
{
	w->key = key->addr;
	w->bits = bits;
	w->exclusive = 1;
	if (key->queue)
		queue_add(key->queue, w);
	else
		TAILQ_INSERT_TAIL(key->list, w, link);
}

bool futex_woken(struct kin_waiter *w, const struct futex_key *key)
{
	return key->queue ? !observe(&w->queue) : w->key == 0;
}

bool futex_dequeue(struct kin_waiter *w, const struct futex_key *key)
{
	if (!key->queue) {
		struct futex_key now;

		if (w->key == 0 || futex_key_get(w->key & ~FUTEX_KEY_PI, false, &now))
			return false;
		TAILQ_REMOVE(now.list, w, link);
		return true;
	}
	return queue_remove(w);
}

struct futex_wait {
	struct futex_key key;
	struct kin_waiter *w;
	u64 addr;
	u32 value;
	bool slept;
	s64 err;
};

/*
 * Other things than wakes end a sleep: who sends a thread of its own member a signal wakes it as
 * well, and so does a death. Who died may have changed the word and not come to waking.
 */
static bool wait_over(void *arg)
{
	struct futex_wait *f = arg;
	bool slept = f->slept;
	u32 now;

	f->slept = true;
	f->err = 0;
	if (slept && signal_pending(current))
		f->err = -EINTR;
	else if (user_load32((u32 *)f->addr, &now))
		f->err = -EFAULT;
	else if (now != f->value)
		f->err = slept ? 0 : -EAGAIN;
	else
		return futex_woken(f->w, &f->key) || (slept && f->key.queue && queue_lost(f->w));
	return true;
}

s64 futex_wait_once(u64 addr, u32 value, u32 bits, bool shared, u64 deadline_ns)
{
	struct futex_wait f = {.addr = addr, .value = value};
	s64 err = futex_key_get(addr, shared, &f.key);

	if (err)
		return err;
	f.w = waiter_get();
	futex_enqueue(f.w, &f.key, bits);
	err = wait_until(NULL, wait_over, &f, deadline_ns, SLEEP_INTERRUPTIBLE);
	if (!err)
		err = f.err;
	if (!futex_dequeue(f.w, &f.key))
		err = 0;
	waiter_put(f.w);
	return err;
}

static s64 wait_restart(void)
{
	struct thread *t = current;
	u64 *arg = t->restart_arg;
	s64 r = futex_wait_once(arg[0], (u32)arg[1], arg[1] >> 32, arg[2], arg[3]);

	if (r != -EINTR)
		return r;
	if (arg[3] == HYP_NO_DEADLINE)
		return -ERESTARTSYS;
	t->restart_fn = (u64)wait_restart;
	return -ERESTART_RESTARTBLOCK;
}

s64 futex_deadline(u64 user_time, bool absolute, bool realtime, u64 *deadline_ns)
{
	s64 time[2];
	u64 ns, now = time_mono_ns();

	*deadline_ns = HYP_NO_DEADLINE;
	if (!user_time)
		return 0;
	if (copy_in(time, (void *)user_time, sizeof(time)))
		return -EFAULT;
	if (time[0] < 0 || time[1] < 0 || time[1] >= (s64)NSEC_PER_SEC)
		return -EINVAL;
	if (time[0] >= (s64)(1ull << 33))
		return 0;
	ns = time[0] * NSEC_PER_SEC + time[1];
	if (absolute && realtime) {
		u64 real = time_real_ns();

		ns = ns > real ? ns - real : 0;
	}
	*deadline_ns = absolute && !realtime ? ns : time_deadline(now, ns);
	return 0;
}

static s64 futex_wait(u64 addr, u32 value, u32 bits, bool shared, u64 deadline_ns)
{
	u64 *arg = current->restart_arg;

	if (!bits)
		return -EINVAL;
	arg[0] = addr;
	arg[1] = value | (u64)bits << 32;
	arg[2] = shared;
	arg[3] = deadline_ns;
	return wait_restart();
}

/* ---- waking */

static bool matches(struct kin_waiter *w, u64 addr, u32 bits)
{
	return w->key == addr && w->bits & bits;
}

static u32 wake_private(const struct futex_key *key, u32 n, u32 bits)
{
	struct kin_waiter *w = TAILQ_FIRST(key->list), *next;
	u32 woken = 0;

	for (; w && woken < n; w = next) {
		next = TAILQ_NEXT(w, link);
		if (!matches(w, key->addr, bits))
			continue;
		TAILQ_REMOVE(key->list, w, link);
		w->key = 0;
		thread_wake((struct thread *)w->thread);
		woken++;
	}
	return woken;
}

/* Under the queue's lock. True: the set of members to ring is full. */
static bool wake_locked(const struct futex_key *key, u32 n, u32 bits, u32 *woken,
			struct ring_set *r)
{
	struct kin_waiter *w = TAILQ_FIRST(&key->queue->head), *next;
	bool full = false;

	for (; w && *woken < n && !full; w = next) {
		u32 member = w->member;

		next = TAILQ_NEXT(w, link);
		if (!matches(w, key->addr, bits) || member_gone(member, w->generation))
			continue;
		/* Its owner may return as soon as it is off the queue. */
		atomic_store(&w->woken, 1);
		queue_unlink(key->queue, w);
		++*woken;
		full = ring_add(r, member);
	}
	return full;
}

static u32 wake_shared(const struct futex_key *key, u32 n, u32 bits)
{
	struct ring_set r = {0};
	u32 woken = 0;
	bool more;

	full_barrier();
	if (atomic_load(&key->queue->count) == 0)
		return 0;
	do {
		queue_lock(key->queue);
		more = wake_locked(key, n, bits, &woken, &r);
		kin_unlock(&key->queue->lock);
		ring_all(&r);
	} while (more);
	return woken;
}

static s64 futex_wake(u64 addr, u32 n, u32 bits, bool shared)
{
	struct futex_key key;
	s64 err = futex_key_get(addr, shared, &key);

	if (err)
		return err;
	if (!bits)
		return -EINVAL;
	return key.queue ? wake_shared(&key, n, bits) : wake_private(&key, n, bits);
}

void futex_pass_on(struct kin_waiter *w)
{
	struct futex_key key = {.addr = w->key};

	if (!w->bits || w->key < KIN_BASE || w->key & FUTEX_KEY_PI)
		return;
	key.queue = shared_queue(w->key);
	wake_shared(&key, 1, w->bits);
}

s64 futex_wake_user(u64 addr, u32 n)
{
	return futex_wake(addr, n, FUTEX_BITSET_MATCH_ANY, true);
}

/* ---- requeueing */

static void queues_lock(struct kin_queue *a, struct kin_queue *b)
{
	queue_lock(MIN(a, b));
	if (a != b)
		queue_lock(MAX(a, b));
}

static void queues_unlock(struct kin_queue *a, struct kin_queue *b)
{
	kin_unlock(&a->lock);
	if (a != b)
		kin_unlock(&b->lock);
}

static u32 requeue_shared(const struct futex_key *from, const struct futex_key *to, u32 n)
{
	struct kin_waiter *w = TAILQ_FIRST(&from->queue->head), *next;
	u32 moved = 0;

	for (; w && moved < n; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->key != from->addr)
			continue;
		queue_detach(from->queue, w);
		w->key = to->addr;
		queue_link(to->queue, w);
		moved++;
	}
	return moved;
}

static u32 requeue_private(const struct futex_key *from, const struct futex_key *to, u32 n)
{
	struct kin_waiter *w = TAILQ_FIRST(from->list), *next;
	u32 moved = 0;

	for (; w && moved < n; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->key != from->addr)
			continue;
		TAILQ_REMOVE(from->list, w, link);
		w->key = to->addr;
		TAILQ_INSERT_TAIL(to->list, w, link);
		moved++;
	}
	return moved;
}

static s64 requeue_keys(const struct futex_key *from, const struct futex_key *to, u32 nwake,
			u32 nmove, u64 addr, const u32 *expected)
{
	struct ring_set r = {0};
	u32 now, done = 0;
	bool full = true;
	s64 err = 0;

	if (!from->queue) {
		done = wake_private(from, nwake, FUTEX_BITSET_MATCH_ANY);
		return done + (from->addr == to->addr ? 0 : requeue_private(from, to, nmove));
	}
	while (full && !err) {
		full = false;
		queues_lock(from->queue, to->queue);
		/* The page is there, the caller has just read it. */
		if (expected && (user_load32((u32 *)addr, &now) || now != *expected))
			err = -EAGAIN;
		if (!err)
			full = wake_locked(from, nwake, FUTEX_BITSET_MATCH_ANY, &done, &r);
		if (!err && !full && from->addr != to->addr)
			done += requeue_shared(from, to, nmove);
		queues_unlock(from->queue, to->queue);
		ring_all(&r);
		expected = NULL;
	}
	return err ? err : done;
}

static s64 futex_requeue(u64 addr, u64 addr2, u32 nwake, u32 nmove, bool shared,
			 const u32 *expected)
{
	struct futex_key from, to;
	u32 now;
	s64 err = futex_key_get(addr, shared, &from);

	if (!err)
		err = futex_key_get(addr2, shared, &to);
	if (!err && ((s32)nwake < 0 || (s32)nmove < 0 || !from.queue != !to.queue))
		err = -EINVAL;
	if (!err && expected && user_load32((u32 *)addr, &now))
		err = -EFAULT;
	if (!err && expected && now != *expected)
		err = -EAGAIN;
	return err ? err : requeue_keys(&from, &to, nwake, nmove, addr, expected);
}

s64 futex_wake_checked(u64 addr, u32 n, bool shared, u32 expected)
{
	return futex_requeue(addr, addr, n, 0, shared, &expected);
}

/* ---- FUTEX_WAKE_OP */

static bool wake_op_value(u32 code, u32 old, u32 *value)
{
	u32 op = code >> 28 & 7, arg = (u32)((s32)(code << 8) >> 20);

	if (code >> 28 & FUTEX_OP_OPARG_SHIFT)
		arg = 1u << (arg & 31);
	switch (op) {
	case FUTEX_OP_SET: *value = arg; return true;
	case FUTEX_OP_ADD: *value = old + arg; return true;
	case FUTEX_OP_OR: *value = old | arg; return true;
	case FUTEX_OP_ANDN: *value = old & ~arg; return true;
	case FUTEX_OP_XOR: *value = old ^ arg; return true;
	default: return false;
	}
}

static s64 wake_op_compare(u32 code, s32 old)
{
	s32 arg = (s32)(code << 20) >> 20;

	switch (code >> 24 & 15) {
	case FUTEX_OP_CMP_EQ: return old == arg;
	case FUTEX_OP_CMP_NE: return old != arg;
	case FUTEX_OP_CMP_LT: return old < arg;
	case FUTEX_OP_CMP_LE: return old <= arg;
	case FUTEX_OP_CMP_GT: return old > arg;
	case FUTEX_OP_CMP_GE: return old >= arg;
	default: return -ENOSYS;
	}
}

static s64 futex_wake_op(u64 addr, u64 addr2, u32 n, u32 n2, u32 code, bool shared)
{
	u32 old, value, found;
	s64 woken, second;

	if (addr % sizeof(u32) || addr2 % sizeof(u32))
		return -EINVAL;
	if (user_load32((u32 *)addr2, &old))
		return -EFAULT;
	for (u32 i = 0;; old = found, i++) {
		if (!wake_op_value(code, old, &value))
			return -ENOSYS;
		if (i == WAKE_OP_TRIES)
			return -EAGAIN;
		if (user_cmpxchg32((u32 *)addr2, old, value, &found))
			return -EFAULT;
		if (found == old)
			break;
	}
	woken = futex_wake(addr, n, FUTEX_BITSET_MATCH_ANY, shared);
	second = woken < 0 ? woken : wake_op_compare(code, old);
	if (second <= 0)
		return second < 0 ? second : woken;
	second = futex_wake(addr2, n2, FUTEX_BITSET_MATCH_ANY, shared);
	return second < 0 ? second : woken + second;
}

/* ---- the system calls */

s64 sys_futex(u64 addr, u64 op, u64 value, u64 timeout, u64 addr2, u64 value3)
{
	u32 cmd = op & FUTEX_CMD_MASK, expected = value3;
	bool shared = !(op & FUTEX_PRIVATE_FLAG), realtime = op & FUTEX_CLOCK_REALTIME;
	u64 deadline = HYP_NO_DEADLINE;
	s64 err;

	if (realtime && cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_LOCK_PI2 &&
		cmd != FUTEX_WAIT_REQUEUE_PI)
		return -ENOSYS;
	switch (cmd) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		err = futex_deadline(timeout, cmd == FUTEX_WAIT_BITSET, realtime, &deadline);
		return err ? err : futex_wait(addr, value, cmd == FUTEX_WAIT ? ~0u : expected, shared,
					      deadline);
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		return futex_wake(addr, value, cmd == FUTEX_WAKE ? ~0u : expected, shared);
	case FUTEX_REQUEUE:
		return futex_requeue(addr, addr2, value, timeout, shared, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(addr, addr2, value, timeout, shared, &expected);
	case FUTEX_WAKE_OP:
		return futex_wake_op(addr, addr2, value, timeout, expected, shared);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		err = futex_deadline(timeout, true, realtime || cmd == FUTEX_LOCK_PI, &deadline);
		return err ? err : futex_lock_pi(addr, shared, deadline);
	case FUTEX_TRYLOCK_PI:
		return futex_trylock_pi(addr, shared);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(addr, shared);
	case FUTEX_WAIT_REQUEUE_PI:
		err = futex_deadline(timeout, true, realtime, &deadline);
		return err ? err : futex_wait_requeue_pi(addr, value, addr2, shared, deadline);
	case FUTEX_CMP_REQUEUE_PI:
		return futex_cmp_requeue_pi(addr, addr2, value, timeout, shared, expected);
	default:
		return -ENOSYS;
	}
}

s64 sys_set_robust_list(u64 head, u64 len)
{
	if (len != sizeof(struct robust_list_head))
		return -EINVAL;
	current->robust_list = head;
	current->robust_len = len;
	return 0;
}

/*
 * The thread of ours whose list is asked for. Another process's are private to its member: what it
 * may show is not there, ESRCH, as of a thread that has just ended.
 */
static s64 robust_thread(s32 tid, struct thread **out)
{
	struct kin_proc *p;
	bool may;

	*out = NULL;
	LIST_FOREACH (*out, &current->proc->threads, sibling)
		if (!tid || (*out)->tid == tid)
			break;
	if (!tid)
		*out = current;
	if (*out)
		return 0;
	tree_lock();
	p = proc_find(tid);
	may = !p || cred_may_look(p, LOOK_BY_REAL);
	tree_unlock();
	return may ? -ESRCH : -EPERM;
}

s64 sys_get_robust_list(u64 pid, u64 head, u64 len)
{
	u64 size = sizeof(struct robust_list_head);
	struct thread *t;
	s64 err = robust_thread((s32)pid, &t);

	if (err)
		return err;
	if (copy_out((void *)len, &size, sizeof(size)) ||
	    copy_out((void *)head, &t->robust_list, sizeof(u64)))
		return -EFAULT;
	return 0;
}

/* ---- robust lists: robust_list(7) in Linux's documentation */

/* The lowest bit of a list's pointers marks a word that inherits priority. */
static void robust_release(u64 addr, s32 tid, bool pending, bool pi)
{
	u32 old, found;

	if (addr % sizeof(u32) || user_load32((u32 *)addr, &old))
		return;
	if (pi) {
		if ((old & FUTEX_TID_MASK) == (u32)tid)
			futex_pass_pi(addr, true, (u32)tid, FUTEX_OWNER_DIED);
		return;
	}
	/* Died between unlocking and waking: somebody may wait for that wake. */
	if (pending && old == 0) {
		futex_wake_user(addr, 1);
		return;
	}
	while ((old & FUTEX_TID_MASK) == (u32)tid) {
		if (user_cmpxchg32((u32 *)addr, old, (old & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &found))
			return;
		if (found == old) {
			if (old & FUTEX_WAITERS)
				futex_wake_user(addr, 1);
			return;
		}
		old = found;
	}
}

void futex_exit_robust(struct thread *t)
{
	struct robust_list_head head;
	u64 entry, next, pending, self = t->robust_list;

	if (!self || copy_in(&head, (void *)self, sizeof(head)))
		return;
	t->robust_list = 0;
	pending = (u64)head.list_op_pending;
	entry = (u64)head.list.next;
	for (u32 i = 0; i < ROBUST_LIMIT && entry && entry != self; i++, entry = next) {
		u64 at = entry & ~1ull;

		if (copy_in(&next, (void *)at, sizeof(next)))
			break;
		if (at != (pending & ~1ull))
			robust_release(at + head.futex_offset, t->tid, false, entry & 1);
	}
	if (pending)
		robust_release((pending & ~1ull) + head.futex_offset, t->tid, true, pending & 1);
}

void futex_thread_exit(struct thread *t, bool shared)
{
	u32 zero = 0;

	futex_exit_robust(t);
	if (!shared || !t->clear_child_tid)
		return;
	if (!copy_out((void *)t->clear_child_tid, &zero, sizeof(zero)))
		futex_wake_user(t->clear_child_tid, 1);
}
