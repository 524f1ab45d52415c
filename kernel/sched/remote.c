/* SPDX-License-Identifier: ISC */
/* The table of requests between members: remote.h says how it stays whole. */
#include <stdatomic.h>

#include <asm/errno.h>

#include "kernel/kin/claim.h"
#include "kernel/kin/kin_hooks.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"
#include "kernel/sched/remote.h"
#include "kernel/sched/sched_hooks.h"
#include "kernel/task/task.h"
#include "kernel/task/task_hooks.h"
#include "kernel/time/time.h"

#define SLOTS 16
/* Whoever answers wakes; this is for one who ended between two steps of saying so. */
#define LOOK_AGAIN_NS 20000000ull

enum remote_state { FREE, CLAIMED, POSTED, SERVING, DONE, ABANDONED };

struct remote_table {
	struct kin_queue queue; /* of all who wait: for a slot, or for an answer */
	struct remote slot[SLOTS];
};

static u64 word_of(enum remote_state state, u32 member, u32 generation)
{
	return (u64)generation << 32 | (u64)member << 8 | state;
}

static u64 own_word(enum remote_state state)
{
	struct kin_member *self = member_self();

	return word_of(state, (u32)(self - KIN->members), self->generation);
}

static enum remote_state state_of(u64 word)
{
	return (enum remote_state)(word & 0xff);
}

static u64 with_state(u64 word, enum remote_state state)
{
	return (word & ~0xffull) | state;
}

static bool turn(struct remote *r, u64 word, u64 to)
{
	return atomic_compare_exchange_strong(&r->word, &word, to);
}

static void table_init(void *p)
{
	queue_init(&((struct remote_table *)p)->queue);
}

static struct remote_table *table(void)
{
	return kin_root_get(ROOT_REMOTE);
}

/* ---- who asks */

struct claim {
	struct remote_table *table;
	struct remote *slot;
};

static bool claimed(void *arg)
{
	struct claim *c = arg;

	for (u32 i = 0; i < SLOTS && !c->slot; i++)
		if (turn(&c->table->slot[i], FREE, own_word(CLAIMED)))
			c->slot = &c->table->slot[i];
	return c->slot != NULL;
}

struct remote *remote_open(void)
{
	struct claim c = {kin_root_claim(ROOT_REMOTE, sizeof(struct remote_table), table_init), NULL};

	if (c.table)
		wait_until(&c.table->queue, claimed, &c, HYP_NO_DEADLINE, SLEEP_KILLABLE);
	return c.slot;
}

/* Whatever became of it meanwhile, it is not ours after this. */
static void give_up(struct remote *r)
{
	for (;;) {
		u64 word = atomic_load(&r->word);
		bool serving = state_of(word) == SERVING;

		if (turn(r, word, serving ? with_state(word, ABANDONED) : FREE))
			break;
	}
	queue_wake_all(&table()->queue);
}

void remote_close(struct remote *r)
{
	give_up(r);
}

/* Will that member still look at what it is asked? */
static bool answers(const struct remote *r)
{
	struct kin_member *m = &KIN->members[r->member];
	u32 state = atomic_load(&m->state);

	return atomic_load(&m->generation) == r->generation && state != MEMBER_FREE &&
		   state != MEMBER_EXITING && state != MEMBER_DEAD;
}

static bool answered(void *arg)
{
	struct remote *r = arg;

	if (state_of(atomic_load(&r->word)) == DONE)
		return true;
	if (answers(r) || !turn(r, own_word(POSTED), own_word(DONE)))
		return false;
	r->result = -ESRCH;
	return true;
}

/* Where the process is now; false: it is gone. */
static bool find(struct remote *r)
{
	tree_lock();
	struct kin_proc *p = proc_find(r->pid);
	bool there = p && p->state != PROC_ZOMBIE && p->member < MEMBERS_MAX;
	if (there) {
		r->member = p->member;
		r->generation = p->generation;
	}
	tree_unlock();
	return there;
}

/* -EAGAIN: it has moved to another member (exec of a vfork's child). */
static s64 ask(struct remote *r)
{
	if (!find(r))
		return -ESRCH;
	if (r->member == BOOT_INFO->member)
		return remote_serve(r);
	atomic_store(&r->word, own_word(POSTED));
	member_kick(r->member);
	for (;;) {
		int err = wait_until(&table()->queue, answered, r, time_mono_ns() + LOOK_AGAIN_NS,
							 SLEEP_KILLABLE);
		if (!err)
			break;
		if (err == -EINTR) {
			give_up(r);
			return -EINTR;
		}
	}
	atomic_store(&r->word, own_word(CLAIMED));
	return r->result;
}

s64 remote_call(struct remote *r, s32 pid)
{
	s64 result;

	r->pid = pid;
	do
		result = ask(r);
	while (result == -EAGAIN);
	return result;
}

s64 thread_signal_remote(s32 pid, s32 tid, int sig, const struct ksiginfo *info)
{
	struct remote *r = remote_open();
	struct ksiginfo none = {0};
	s64 err;

	if (!r)
		return -EAGAIN;
	r->op = REMOTE_SIGNAL;
	r->tid = tid;
	memcpy(r->data, sig ? info : &none, sizeof(none));
	err = remote_call(r, pid);
	if (err != -EINTR)
		remote_close(r);
	return err;
}

/* ---- who is asked */

static void serve(struct remote *r, u64 word)
{
	r->result = remote_serve(r);
	if (!turn(r, with_state(word, SERVING), with_state(word, DONE)))
		atomic_store(&r->word, FREE); /* nobody waits for it any more */
}

void remote_look(void)
{
	struct remote_table *t = table();
	u32 self = BOOT_INFO->member, generation = member_self()->generation, served = 0;

	for (u32 i = 0; t && i < SLOTS; i++) {
		struct remote *r = &t->slot[i];
		u64 word = atomic_load(&r->word);

		if (state_of(word) != POSTED || r->member != self || r->generation != generation ||
			!turn(r, word, with_state(word, SERVING)))
			continue;
		serve(r, word);
		served++;
	}
	if (served)
		queue_wake_all(&t->queue);
}

/* ---- who has died */

static void bury(struct remote *r, u32 member, u32 generation)
{
	u64 word = atomic_load(&r->word);
	enum remote_state state = state_of(word);
	bool asker = word == word_of(state, member, generation);
	bool asked = r->member == member && r->generation == generation;

	if (asked && state == ABANDONED) {
		turn(r, word, FREE);
	} else if (asked && (state == POSTED || state == SERVING)) {
		r->result = -ESRCH;
		turn(r, word, with_state(word, DONE));
	}
	/* As it is now: of one that the dead had asked of itself nothing is left either. */
	for (word = atomic_load(&r->word); asker && word == word_of(state_of(word), member, generation);
		 word = atomic_load(&r->word)) {
		state = state_of(word);
		if (state == FREE || state == ABANDONED)
			break;
		turn(r, word, state == SERVING ? with_state(word, ABANDONED) : FREE);
	}
}

void remote_bury(u32 member, u32 generation)
{
	struct remote_table *t = table();

	if (!t)
		return;
	for (u32 i = 0; i < SLOTS; i++)
		bury(&t->slot[i], member, generation);
	queue_wake_all(&t->queue);
}
