/* SPDX-License-Identifier: ISC */
/*
 * Burial: a member died without publishing an exit (kill -9, out of memory, a crash of the
 * monitor). Another member gives back what each of its processes held and tells the parents, who
 * see an ordinary death by SIGKILL.
 *
 * Everything here may be done twice: the burier may be killed at any instruction, and the next one
 * begins again with the same member. A process leaves the search as the last step, when it no
 * longer names the dead member.
 */
#include <stdatomic.h>

#include <asm/signal.h>

#include "kernel/fd/file.h"
#include "kernel/ipc/ipc.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/proc/proc_hooks.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/sched/remote.h"
#include "kernel/signal/seccomp.h"
#include "kernel/task/table.h"
#include "kernel/vfs/vfs.h"

struct search {
	u32 member, generation;
	struct kin_proc *found;
};

static int find_of_member(struct kin_proc *p, void *arg)
{
	struct search *s = arg;

	if (p->member != s->member || p->generation != s->generation)
		return 0;
	s->found = p;
	return 1;
}

/* What it held in kin; no lock, because the owner is dead and burials are serialised. */
static void release_holdings(struct kin_proc *p)
{
	locks_release_process(p->pid);
	dnotify_release_process(p->pid);
	sem_undo_exit(p);
	fdtable_drop(&p->fds);
	directories_drop(p);
	seccomp_drop(p);
	proc_exe_set(p, NULL);
	mappings_bury(p);
	signals_release(p);
	spawn_drop(p);
}

static u32 status_of(struct kin_proc *p)
{
	return p->flags & KP_EXITING ? p->wait_status : SIGKILL;
}

/*
 * T. The last step. The parent is told, perhaps again, and p is somebody else's once the lock is
 * released.
 */
static void bury_in_tree(struct kin_proc *p)
{
	if (p->state == PROC_EMBRYO) {
		kin_proc_free(p);
		return;
	}
	trace_tracer_gone(p);
	proc_leave_session(p);
	proc_orphan_children(p);
	proc_become_zombie(p, status_of(p));
}

/* One that is no zombie yet: until we make it one nobody but us does anything with it. */
static void bury_process(struct kin_proc *p)
{
	u32 status = status_of(p);
	bool first = p->pid == 1;

	klog("burying process %d", p->pid);
	release_holdings(p);
	tree_lock();
	bury_in_tree(p);
	tree_unlock();
	if (first)
		family_end(status);
}

/*
 * The next process of the member that is to be buried, or NULL. Zombies, which only lack their last
 * step, get it here: their parents may reap them at any time.
 */
static struct kin_proc *bury_next(struct search *s)
{
	for (;;) {
		bool zombie, first;
		u32 status = 0;

		s->found = NULL;
		tree_lock();
		proc_foreach_slot(find_of_member, s);
		zombie = s->found && s->found->state == PROC_ZOMBIE;
		first = zombie && s->found->pid == 1;
		if (zombie) {
			status = status_of(s->found);
			bury_in_tree(s->found);
		}
		tree_unlock();
		if (first)
			family_end(status);
		if (!zombie)
			return s->found;
	}
}

/*
 * T: p may have been woken or signalled by the dead, who did not come to ring, or not even to say
 * that there is something to look at.
 */
static int rouse(struct kin_proc *p, void *arg)
{
	if (p->state == PROC_ZOMBIE)
		return 0;
	if (atomic_load(&p->wait_queue.count))
		tree_wake(p);
	if (atomic_load(&p->signals.pending))
		atomic_store(&p->attention, 1);
	if (atomic_load(&p->attention))
		signal_notify(p, SIGKILL);
	return 0;
}

void proc_bury(u32 member)
{
	struct kin_member *rec = &KIN->members[member];
	struct search s = {.member = member, .generation = rec->generation};
	struct kin_proc *p;

	/* First, because a kill between marking waiters and ringing may have left others asleep. */
	waiters_bury(member, s.generation);
	remote_bury(member, s.generation);
	while ((p = bury_next(&s)))
		bury_process(p);
	tree_lock();
	proc_foreach(rouse, NULL);
	tree_unlock();
	spawn_bury(member);
	tids_bury(member);
	atomic_store(&rec->proc, 0);
}
