/* SPDX-License-Identifier: ISC */
/*
 * fork: one ordered list of participants. Each says what it does in the parent before the clone (it
 * may fail), what the clone does to become the child, and what the parent undoes, in reverse order,
 * if a later participant or the clone itself fails. If the clone works, the parent keeps everything
 * as it is and goes on at once.
 *
 * The child is in the process table, RUNNING, before the clone, so that kill and wait find it right
 * after fork returned. Until it is published it belongs to the parent's member; from then on to the
 * member record that it will run in. So at every instruction a death of the parent leaves something
 * whose burial gives back what the child was to hold: the supervisor declares a CLONING record dead
 * whose parent has died before the clone.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <linux/sched.h>

#include "kernel/futex/futex.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/call_sites.h"
#include "kernel/mm/mm.h"
#include "kernel/proc/proc.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/time/time.h"
#include "kernel/vfs/vfs.h"

/* ---- the process in kin: pid, identity, what is inherited by value */

struct kin_proc *fork_process(const struct clone_request *r)
{
	struct kin_proc *parent = current->proc->kp;
	struct kin_proc *kp = kin_proc_alloc();

	if (!kp)
		return NULL;
	kp->exit_signal = r->exit_signal;
	atomic_fetch_or(&kp->flags, parent->flags & (KP_NOCLDWAIT | KP_NOCLDSTOP));
	kp->uid = parent->uid;
	kp->euid = parent->euid;
	kp->suid = parent->suid;
	kp->fsuid = parent->fsuid;
	kp->gid = parent->gid;
	kp->egid = parent->egid;
	kp->sgid = parent->sgid;
	kp->fsgid = parent->fsgid;
	kp->nice = parent->nice;
	kp->vm_pages = parent->vm_pages;
	kp->present_pages = parent->present_pages;
	kp->oom_adjust = parent->oom_adjust;
	kp->sched_class = parent->sched_class;
	kp->ioprio = parent->ioprio;
	kp->nthreads = 1;
	kp->start_ns = time_mono_ns();
	memcpy(kp->comm, parent->comm, sizeof(kp->comm));
	return kp;
}

static int process_prepare(struct fork *f)
{
	f->kp = fork_process(f->request);
	return f->kp ? 0 : -EAGAIN;
}

static void process_abort(struct fork *f)
{
	tree_lock();
	kin_proc_free(f->kp);
	tree_unlock();
}

/* First in the child: until kin_attach has run, nothing may take a lock or memory in kin. */
static void process_commit(struct fork *f)
{
	struct proc *p = current->proc;

	kin_attach();
	own_fork_child();
	p->kp = f->kp;
	p->vfork_parent = NULL;
	current->vfork_child = NULL;
	current->tid = f->kp->pid;
	cpu_follow_attention(&f->kp->attention);
	/*
	 * The other processes of the parent's VM are suspended in vfork, or a vfork's children: they
	 * stay there.
	 */
	LIST_INIT(&member_procs);
	LIST_INSERT_HEAD(&member_procs, p, link);
}

/* ---- member record: where the child will run */

void member_live(void)
{
	struct kin_member *self = member_self();
	u32 state = self->state;

	/*
	 * Never over DEAD: then the supervisor has given this member up, and its monitor is about to
	 * learn it.
	 */
	if (state == MEMBER_CLONING || state == MEMBER_SPAWNING)
		atomic_compare_exchange_strong(&self->state, &state, MEMBER_LIVE);
}

static int member_prepare(struct fork *f)
{
	struct kin_member *rec;
	int index = member_alloc(MEMBER_CLONING);

	if (index < 0)
		return index;
	f->member = (u32)index;
	rec = &KIN->members[index];
	rec->pid = f->kp->pid;
	rec->ppid = current->proc->kp->pid;
	memcpy(rec->comm, f->kp->comm, sizeof(rec->comm));
	atomic_store(&rec->proc, (u64)f->kp);
	return 0;
}

static void member_abort(struct fork *f)
{
	atomic_store(&KIN->members[f->member].proc, 0);
	member_free(f->member);
}

static void member_commit(struct fork *f)
{
	struct kin_member *rec = &KIN->members[f->member];

	rec->first_tsc = arch_cycles();
	member_live();
	if (KIN->verbose)
		klog("pid %d forked by pid %d, runs after %u us", rec->pid, rec->ppid,
		     (u32)((rec->first_tsc - rec->clone_tsc) * 1000 / MAX(KIN->clock.tsc_khz, 1)));
}

/*
 * ---- descriptors: the same open file descriptions in a table of its own, or with CLONE_FILES the
 * same table
 */

int fork_descriptors(struct kin_proc *kp, u64 flags)
{
	struct fdtable *own = current->proc->kp->fds;

	if (flags & CLONE_FILES) {
		ref_get(OWN_TABLE, own, &kp->fds);
		return 0;
	}
	return fdtable_clone(own, &kp->fds);
}

void fork_descriptors_abort(struct kin_proc *kp)
{
	fdtable_drop(&kp->fds);
}

static int descriptors_prepare(struct fork *f)
{
	return fork_descriptors(f->kp, f->request->flags);
}

static void descriptors_abort(struct fork *f)
{
	fork_descriptors_abort(f->kp);
}

/*
 * ---- memory: private pages are the host's copy-on-write; shared objects and mapped files are
 * counted for the child
 */

static int memory_prepare(struct fork *f)
{
	return mm_fork_prepare(current->proc->mm, f->kp);
}

static void memory_abort(struct fork *f)
{
	mm_fork_abort(current->proc->mm, f->kp);
}

static void memory_commit(struct fork *f)
{
	current->proc->mm->refs = 1;
	mm_fork_child(current->proc->mm);
}

/* ---- call sites that others have found: rewritten once, and not by every child again */

static int sites_prepare(struct fork *f)
{
	if (sites_behind())
		mm_redirect_known(current->proc->mm);
	return 0;
}

/* ---- current directory and umask: private memory, but the inodes are counted in kin */

static int directory_prepare(struct fork *f)
{
	fs_context_fork(current->proc->fs);
	return 0;
}

static void directory_abort(struct fork *f)
{
	fs_context_fork_abort(current->proc->fs);
}

/* ---- threads: the child has only the one that forked */

static void threads_commit(struct fork *f)
{
	struct proc *p = current->proc;

	sched_fork_child();
	futexes_fork_child();
	LIST_INIT(&p->threads);
	LIST_INSERT_HEAD(&p->threads, current, sibling);
	p->group_exit = 0;
	current->robust_list = 0;
	current->clear_child_tid = f->request->flags & CLONE_CHILD_CLEARTID ? f->request->child_tid : 0;
}

/* ---- signals: handlers and mask are kept, pending ones are the parent's */

static void signals_commit(struct fork *f)
{
	signal_fork_child(current);
	if (f->request->flags & CLONE_CLEAR_SIGHAND)
		fork_clear_handlers(current->proc->actions);
}

static void timers_commit(struct fork *f)
{
	timers_fork_child(current->proc);
}

/* ---- statistics: each member counts from zero. Published first: the child finds zeroes */

static int counts_prepare(struct fork *f)
{
	stats_publish();
	return 0;
}

static void counts_commit(struct fork *f)
{
	stats_fork_child();
}

/* ---- the tree: from here on others see the child */

void fork_publish(struct kin_proc *kp, u64 flags, u32 member)
{
	struct kin_proc *self = current->proc->kp;
	struct kin_proc *parent = self;

	proc_refresh_cmdline(); /* the child may ask for it at once, or start a ps */
	tree_lock();
	if ((flags & (CLONE_PARENT | CLONE_THREAD)) && self->parent)
		parent = self->parent;
	kp->pgid = self->pgid;
	kp->sid = self->sid;
	proc_info_share(kp, self);
	kp->generation = KIN->members[member].generation;
	kp->member = member;
	kin_proc_publish(kp, parent);
	tree_unlock();
}

static int tree_prepare(struct fork *f)
{
	fork_publish(f->kp, f->request->flags, f->member);
	return 0;
}

/* Somebody may be waiting for it already, or has sent it signals. */
static void tree_abort(struct fork *f)
{
	struct kin_proc *parent, *kp = f->kp;

	tree_lock();
	parent = kp->parent;
	if (parent)
		TAILQ_REMOVE(&parent->children, kp, sibling);
	kp->member = (u32)(member_self() - KIN->members);
	kp->generation = member_self()->generation;
	kp->state = PROC_EMBRYO;
	proc_info_drop(kp);
	if (parent)
		tree_wake(parent);
	tree_unlock();
	signals_release(kp);
}

/* ---- registers: what clone's flags ask for in the child */

static void registers_commit(struct fork *f)
{
	const struct clone_request *r = f->request;

	if (r->flags & CLONE_SETTLS)
		arch_set_tls(r->tls);
	if (r->stack)
		frame_set_sp(thread_frame(current), r->stack);
	if (r->flags & CLONE_CHILD_SETTID)
		copy_out((void *)r->child_tid, &current->tid, sizeof(current->tid));
}

/*
 * The list. Prepare and commit run from top to bottom, abort from the failed one's predecessor to
 * the top. Entropy needs no participant: the kernel keeps no pool, every request goes to the host.
 */
static const struct participant {
	const char *name;
	int (*prepare)(struct fork *f);
	void (*commit)(struct fork *f);
	void (*abort)(struct fork *f);
} participants[] = {
	{"process", process_prepare, process_commit, process_abort},
	{"member record", member_prepare, member_commit, member_abort},
	{"threads", NULL, threads_commit, NULL},
	{"descriptors", descriptors_prepare, NULL, descriptors_abort},
	{"memory", memory_prepare, memory_commit, memory_abort},
	{"call sites", sites_prepare, NULL, NULL},
	{"current directory", directory_prepare, NULL, directory_abort},
	{"signals", NULL, signals_commit, NULL},
	{"timers", NULL, timers_commit, NULL},
	{"statistics", counts_prepare, counts_commit, NULL},
	{"process tree", tree_prepare, NULL, tree_abort},
	{"registers", NULL, registers_commit, NULL},
};

static void undo(struct fork *f, u32 done)
{
	while (done-- > 0)
		if (participants[done].abort)
			participants[done].abort(f);
}

s64 fork_vm(const struct clone_request *r)
{
	struct fork f = {.request = r};
	s32 pid;
	int err;

	for (u32 i = 0; i < ARRAY_SIZE(participants); i++) {
		err = participants[i].prepare ? participants[i].prepare(&f) : 0;
		if (err) {
			undo(&f, i);
			return err;
		}
	}
	pid = f.kp->pid;
	KIN->members[f.member].clone_tsc = arch_cycles();
	err = arch_clone(f.member);
	if (err == 1) {
		for (u32 i = 0; i < ARRAY_SIZE(participants); i++)
			if (participants[i].commit)
				participants[i].commit(&f);
		return 0;
	}
	if (err < 0) {
		undo(&f, ARRAY_SIZE(participants));
		return err;
	}
	/*
	 * f.kp is the child's now: it may be gone already. So may its member record, but then this is
	 * one wrong number.
	 */
	KIN->members[f.member].resumed_tsc = arch_cycles();
	atomic_fetch_add(&KIN->stats.forks, 1);
	if (r->flags & CLONE_PARENT_SETTID)
		copy_out((void *)r->parent_tid, &pid, sizeof(pid));
	return pid;
}
