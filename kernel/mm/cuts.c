/* SPDX-License-Identifier: ISC */
/*
 * A file in kin becomes shorter: its pages go from the mappings of all who have it mapped, so that
 * they get SIGBUS there.
 *
 * Other members are told by a count: who finds on its way to the application, or as it wakes, that
 * it has gone on looks at all that it has mapped. The sizes are stored before the count, the count
 * before the kick.
 */
#include "kernel/kin/claim.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm_internal.h"
#include "kernel/task/thread.h"

/* o NULL: whichever. */
static void object_ends_drop(struct mm *mm, const struct kin_object *o)
{
	for (struct vma *v = vma_first(mm, 0); v; v = vma_next(v))
		if (v->object && (!o || v->object == o) && v->file && !mm_reserve(mm))
			pages_drop(mm, vma_backed_end(v), v->end);
}

struct cuts {
	_Atomic u64 count;
};
static u64 cuts_seen;

static void others_tell(void)
{
	struct cuts *cuts = kin_root_claim(ROOT_CUTS, sizeof(*cuts), NULL);

	if (!cuts)
		return;
	cuts->count++;
	for (u32 i = 0; member_used(i); i++) {
		struct kin_member *m = &KIN->members[i];

		if (m == member_self())
			continue;
		if (m->state == MEMBER_CLONING)
			atomic_store(&m->kicked, 1); /* it looks before the application goes on */
		else if (m->state == MEMBER_LIVE)
			member_kick(i);
	}
}

void mm_object_cut(struct mm *mm, struct kin_object *o)
{
	if (object_refs(o) < 2)
		return; /* the file's own */
	object_ends_drop(mm, o);
	others_tell();
}

void mm_cuts_look(void)
{
	struct cuts *cuts = kin_root_get(ROOT_CUTS);
	struct proc *p = LIST_FIRST(&member_procs); /* all of a member share its memory */

	if (!cuts || cuts->count == cuts_seen)
		return;
	cuts_seen = cuts->count;
	if (p && p->mm && !p->mm->dead)
		object_ends_drop(p->mm, NULL);
}
