/* SPDX-License-Identifier: ISC */
/*
 * What a process has mapped, written down in kin so that survivors can let go of it: one record for
 * each file or memory object, which holds one reference however many VMAs use it. The list hangs
 * off kin_proc.mappings.
 *
 * Who writes: the owner's kernel alone; the parent, before the clone, for a child that does not run
 * yet; the burier, once the owner is dead. Never two of them at once, so there is no lock.
 *
 * The record's thing is a slot of own.h, and so is what the list hangs off.
 */
#include "kernel/mm/mm_internal.h"
#include "kernel/task/thread.h"

#include <asm/errno.h>

#include "kernel/lib/lib.h"

struct kin_mapping {
	struct kin_mapping *next;
	void *thing; /* slot; struct file or struct kin_object, as kind says */
	u32 kind;
	u32 count;   /* VMAs of the owner that use it */
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

static struct kin_mapping *record_find(struct kin_proc *kp, const void *thing)
{
	struct kin_mapping *m = kp->mappings;

	while (m && m->thing != thing)
		m = m->next;
	return m;
}

/* Without its thing yet; NULL: no memory. */
static struct kin_mapping *record_add(struct kin_proc *kp, enum own_kind kind, u32 count)
{
	struct kin_mapping *m = own_new(OWN_MEMORY, sizeof(*m));

	if (!m)
		return NULL;
	m->next = kp->mappings;
	m->kind = kind;
	m->count = count;
	own_give(&kp->mappings, m);
	return m;
}

int holding_take(enum own_kind kind, void **hold)
{
	struct kin_mapping *m = record_find(owner(), *hold);

	if (m) {
		m->count++;
		ref_put(kind, hold);
		return 0;
	}
	m = record_add(owner(), kind, 1);
	if (m)
		ref_move(kind, hold, &m->thing);
	else
		ref_put(kind, hold);
	return m ? 0 : -ENOMEM;
}

void holding_dup(void *thing)
{
	struct kin_mapping *m = record_find(owner(), thing);

	kassert(m);
	m->count++;
}

static void record_remove(struct kin_proc *kp, struct kin_mapping *m)
{
	struct kin_mapping **link = &kp->mappings;

	while (*link != m)
		link = &(*link)->next;
	ref_put(m->kind, &m->thing);
	own_free(own_take(OWN_MEMORY, link, m->next));
}

void holding_drop(void *thing)
{
	struct kin_mapping *m = record_find(owner(), thing);

	kassert(m && m->count > 0);
	if (--m->count == 0)
		record_remove(owner(), m);
}

void mappings_bury(struct kin_proc *p)
{
	while (p->mappings)
		record_remove(p, p->mappings);
}

int mm_fork_prepare(struct mm *mm, struct kin_proc *child)
{
	child->mappings = NULL;
	for (struct kin_mapping *m = owner()->mappings; m; m = m->next) {
		struct kin_mapping *copy = record_add(child, m->kind, m->count);

		if (!copy) {
			mappings_bury(child);
			return -ENOMEM;
		}
		ref_get_for(m->kind, m->thing, &copy->thing);
	}
	return 0;
}

void mm_fork_abort(struct mm *mm, struct kin_proc *child)
{
	mappings_bury(child);
}

/* The owner leaves an address space that others still use: its list goes to one of them. */
static void owner_change(struct mm *mm, struct kin_proc *old)
{
	struct proc *p;

	LIST_FOREACH(p, &member_procs, link) {
		if (p->mm == mm && p->kp != old) {
			mm->owner = p->kp;
			if (old->mappings)
				own_move(OWN_MEMORY, &old->mappings, &p->kp->mappings);
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
