/* SPDX-License-Identifier: ISC */
/*
 * What a process has mapped, written down in kin so that survivors can let go of it: one record for
 * each file or memory object, which holds one reference however many VMAs use it. The list hangs
 * off kin_proc.mappings.
 *
 * Who writes: the owner's kernel alone; the parent, before the clone, for a child that does not run
 * yet; the burier, once the owner is dead. Never two of them at once, so there is no lock.
 *
 * Death in between: a record is published as UNSURE, then the reference is counted, then it becomes
 * HELD; dropping goes the other way. The burier drops only HELD references: an UNSURE one is left
 * counted at worst (the object then lives as long as the family), never dropped twice.
 */
#include "kernel/mm/mm_internal.h"
#include "kernel/task/thread.h"

#include <asm/errno.h>

#include "kernel/lib/lib.h"

enum { UNSURE, HELD };

struct kin_mapping {
	struct kin_mapping *next;
	void *thing;             /* struct file or struct kin_object */
	u32 is_file;
	u32 count;               /* VMAs of the owner that use it */
	_Atomic u32 state;
};

/*
 * The process whose record lists what the current address space holds: during vfork the parent's.
 */
static struct kin_proc *owner(void)
{
	struct mm *mm = current->proc->mm;

	if (!mm->owner)
		mm->owner = current->proc->kp;
	return mm->owner;
}

static struct kin_mapping *list_head(struct kin_proc *kp)
{
	return (struct kin_mapping *)kp->mappings;
}

static void thing_get(void *thing, bool is_file)
{
	if (is_file)
		file_get(thing);
	else
		object_get(thing);
}

static void thing_put(void *thing, bool is_file)
{
	if (is_file)
		file_put(thing);
	else
		object_put(thing);
}

static struct kin_mapping *record_find(struct kin_proc *kp, const void *thing)
{
	struct kin_mapping *m = list_head(kp);

	while (m && m->thing != thing)
		m = m->next;
	return m;
}

/* Publishes a record in the given state. */
static struct kin_mapping *record_add(struct kin_proc *kp, void *thing, bool is_file, u32 count,
	u32 state)
{
	struct kin_mapping *m = kin_alloc(sizeof(*m));

	if (!m)
		return NULL;
	m->next = list_head(kp);
	m->thing = thing;
	m->is_file = is_file;
	m->count = count;
	m->state = state;
	__atomic_store_n(&kp->mappings, (u64)m, __ATOMIC_RELEASE);
	return m;
}

int holding_take(void *thing, bool is_file)
{
	struct kin_mapping *m = record_find(owner(), thing);

	if (m) {
		m->count++;
		thing_put(thing, is_file);
		return 0;
	}
	if (record_add(owner(), thing, is_file, 1, HELD))
		return 0;
	thing_put(thing, is_file);
	return -ENOMEM;
}

void holding_dup(void *thing)
{
	struct kin_mapping *m = record_find(owner(), thing);

	kassert(m);
	m->count++;
}

static void record_remove(struct kin_proc *kp, struct kin_mapping *m)
{
	struct kin_mapping *prev = list_head(kp);

	if (prev == m) {
		__atomic_store_n(&kp->mappings, (u64)m->next, __ATOMIC_RELEASE);
	} else {
		while (prev->next != m)
			prev = prev->next;
		__atomic_store_n(&prev->next, m->next, __ATOMIC_RELEASE);
	}
	kin_free(m, sizeof(*m));
}

void holding_drop(void *thing)
{
	struct kin_mapping *m = record_find(owner(), thing);

	kassert(m && m->count > 0);
	if (--m->count)
		return;
	m->state = UNSURE;
	thing_put(m->thing, m->is_file);
	record_remove(owner(), m);
}

void mappings_bury(struct kin_proc *p)
{
	struct kin_mapping *m;

	while ((m = list_head(p))) {
		u32 state = m->state;

		/* The burier may die too: nothing is dropped twice, see above. */
		m->state = UNSURE;
		if (state == HELD)
			thing_put(m->thing, m->is_file);
		record_remove(p, m);
	}
}

int mm_fork_prepare(struct mm *mm, struct kin_proc *child)
{
	child->mappings = 0;
	for (struct kin_mapping *m = list_head(owner()); m; m = m->next) {
		struct kin_mapping *copy = record_add(child, m->thing, m->is_file, m->count, UNSURE);

		if (!copy) {
			mappings_bury(child);
			return -ENOMEM;
		}
		thing_get(m->thing, m->is_file);
		copy->state = HELD;
	}
	return 0;
}

void mm_fork_abort(struct mm *mm, struct kin_proc *child)
{
	mappings_bury(child);
}

/*
 * The owner leaves an address space that others still use: its list goes to one of them. Taken off
 * first: a death in between leaves the references counted, never dropped twice.
 */
static void owner_change(struct mm *mm, struct kin_proc *old)
{
	u64 list = old->mappings;
	struct proc *p;

	LIST_FOREACH(p, &member_procs, link) {
		if (p->mm == mm && p->kp != old) {
			mm->owner = p->kp;
			if (!list)
				return;
			__atomic_store_n(&old->mappings, 0, __ATOMIC_RELEASE);
			__atomic_store_n(&p->kp->mappings, list, __ATOMIC_RELEASE);
			return;
		}
	}
}

void mm_release(struct mm *mm)
{
	struct kin_proc *kp = owner();

	if (--mm->refs) {
		if (kp == current->proc->kp)
			owner_change(mm, kp);
		return;
	}
	mm->dead = true;
	mappings_bury(kp);
}
