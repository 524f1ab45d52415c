/* SPDX-License-Identifier: ISC */
/*
 * Making processes: one ordered list of participants, for fork, for vfork, and for the way of a
 * vfork's child to a VM of its own. Each says what it does in the parent before the clone (it may
 * fail), what the clone does to become the child, and what the parent undoes, in reverse order, if
 * a later participant or the clone itself fails. If the clone works, the parent keeps everything as
 * it is and goes on at once. What is inherited by value is one assignment: struct proc_inherited.
 *
 * A fork's child is in the process table, RUNNING, before the clone, so that kill and wait find it
 * right after fork returned. Until it is published it belongs to the parent's member; from then on
 * to the member record that it will run in. So at every instruction a death of the parent leaves
 * something whose burial gives back what the child was to hold: the supervisor declares a CLONING
 * record dead whose parent has died before the clone.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <linux/ptrace.h>
#include <linux/sched.h>

#include "kernel/event/signalfd.h"
#include "kernel/futex/futex.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/call_sites.h"
#include "kernel/mm/mm.h"
#include "kernel/net/host_share.h"
#include "kernel/proc/proc.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/sched/sched_hooks.h"
#include "kernel/signal/seccomp.h"
#include "kernel/task/task_hooks.h"
#include "kernel/time/time.h"
#include "kernel/time/timers.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_hooks.h"

/* ---- the process in kin: pid, identity, what is inherited by value */

/* SCHED_RESET_ON_FORK */
static void sched_reset(struct proc_inherited *in)
{
	if (!in->sched_reset)
		return;
	in->nice = in->sched_priority ? 0 : MAX(in->nice, 0);
	in->sched_class = in->sched_priority ? SCHED_NORMAL : in->sched_class;
	in->sched_priority = in->sched_reset = 0;
}

static int process_prepare(struct fork *f)
{
	struct kin_proc *parent = current->proc->kp, *kp = kin_proc_alloc();

	if (!kp)
		return -EAGAIN;
	f->kp = kp;
	kp->exit_signal = f->request->exit_signal;
	atomic_fetch_or(&kp->flags, parent->flags & (KP_NOCLDWAIT | KP_NOCLDSTOP));
	kp->inherited = parent->inherited;
	sched_reset(&kp->inherited);
	kp->vm_pages = parent->vm_pages;
	kp->present_pages = parent->present_pages;
	kp->nthreads = 1;
	kp->start_ns = time_mono_ns();
	memcpy(kp->comm, parent->comm, sizeof(kp->comm));
	return 0;
}

static int process_share(struct fork *f)
{
	int err = process_prepare(f);

	if (!err)
		atomic_fetch_or(&f->kp->flags, KP_VFORK);
	return err;
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

static int member_share(struct fork *f)
{
	f->member = (u32)(member_self() - KIN->members);
	return 0;
}

/* ---- the private side: a clone's is its parent's, in memory of its own */

static int private_share(struct fork *f)
{
	f->proc = proc_create(f->kp);
	return f->proc ? 0 : -ENOMEM;
}

static void private_unshare(struct fork *f)
{
	LIST_REMOVE(f->proc, link);
	proc_destroy(f->proc);
}

/*
 * ---- descriptors: the same open file descriptions in a table of its own, or with CLONE_FILES the
 * same table
 */

static int descriptors_prepare(struct fork *f)
{
	struct fdtable *own = current->proc->kp->fds;

	proc_exe_set(f->kp, current->proc->kp->exe);
	if (f->request->flags & CLONE_FILES) {
		ref_get(OWN_TABLE, own, &f->kp->fds);
		return 0;
	}
	int err = fdtable_clone(own, &f->kp->fds);
	if (err)
		proc_exe_set(f->kp, NULL);
	return err;
}

static void descriptors_abort(struct fork *f)
{
	fdtable_drop(&f->kp->fds);
	proc_exe_set(f->kp, NULL);
}

static void descriptors_pass(struct proc *p, struct spawn_state *s)
{
	files_pass(p->kp->fds);
	if (p->kp->exe)
		file_pass(p->kp->exe);
}

/* ---- sockets of the host: the clone has the same handles */

static int sockets_prepare(struct fork *f)
{
	sockets_fork_prepare();
	return 0;
}

static void sockets_commit(struct fork *f)
{
	sockets_fork_child();
}

static void sockets_left(struct proc *p)
{
	sockets_sweep();
}

/* ---- pidfd: after the child's table was copied, because it is the parent's alone */

static int pidfd_prepare(struct fork *f)
{
	const struct clone_request *r = f->request;

	if (!(r->flags & CLONE_PIDFD))
		return 0;
	if (mm_accessible(current->proc->mm, r->pidfd, sizeof(s32), true) < sizeof(s32))
		return -EFAULT;
	f->pidfd = (s32)pidfd_install(f->kp, 0);
	return MIN(f->pidfd, 0);
}

/* The number is told when the clone has worked, so the child does not see it. */
static void pidfd_tell(const struct fork *f)
{
	if (f->request->flags & CLONE_PIDFD)
		copy_out((void *)f->request->pidfd, &f->pidfd, sizeof(f->pidfd));
}

static void pidfd_abort(struct fork *f)
{
	if (f->request->flags & CLONE_PIDFD)
		fd_close(f->pidfd);
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

static int memory_share(struct fork *f)
{
	f->proc->mm = current->proc->mm;
	f->proc->mm->refs++;
	return 0;
}

static void memory_unshare(struct fork *f)
{
	f->proc->mm->refs--;
}

static void memory_pass(struct proc *p, struct spawn_state *s)
{
	mm_release(p->mm);
}

static bool memory_take(struct proc *p, struct spawn_state *s)
{
	p->mm = mm_create();
	return p->mm != NULL;
}

/* ---- call sites that others have found: rewritten once, and not by every child again */

static int sites_prepare(struct fork *f)
{
	if (sites_behind())
		mm_redirect_known(current->proc->mm, false);
	return 0;
}

/* ---- current directory and root: slots of the process; the path's text is private */

static int directory_prepare(struct fork *f)
{
	directories_inherit(f->kp, current->proc->kp);
	seccomp_inherit(f->kp, current->proc->kp);
	return 0;
}

static void directory_abort(struct fork *f)
{
	directories_drop(f->kp);
	seccomp_drop(f->kp);
}

static int directory_share(struct fork *f)
{
	f->proc->fs = fs_context_clone(current->proc->fs); /* proc_destroy gives it back */
	if (!f->proc->fs)
		return -ENOMEM;
	return directory_prepare(f);
}

static bool directory_take(struct proc *p, struct spawn_state *s)
{
	p->fs = fs_context_clone(NULL);
	if (!p->fs)
		return false;
	strlcpy(p->fs->cwd, s->cwd, sizeof(p->fs->cwd));
	return true;
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
	if (current->trace_request == PTRACE_SINGLESTEP)
		frame_set_step(thread_frame(current), false);
	current->trace_request = 0; /* the parent's */
	current->clear_child_tid = f->request->flags & CLONE_CHILD_CLEARTID ? f->request->child_tid : 0;
}

/* ---- signals: handlers and mask are kept, pending ones are the parent's */

static void signals_commit(struct fork *f)
{
	signal_fork_child(current);
	if (f->request->flags & CLONE_CLEAR_SIGHAND)
		fork_clear_handlers(current->proc->actions);
}

static int signals_share(struct fork *f)
{
	struct proc *p = f->proc;

	p->actions = signal_actions_clone(current->proc->actions); /* proc_destroy gives it back */
	if (p->actions && f->request->flags & CLONE_CLEAR_SIGHAND)
		fork_clear_handlers(p->actions);
	return p->actions ? 0 : -ENOMEM;
}

static void signals_pass(struct proc *p, struct spawn_state *s)
{
	s->blocked = current->sig.blocked;
	s->ignoring = p->actions->ignoring;
}

static bool signals_take(struct proc *p, struct spawn_state *s)
{
	p->actions = signal_actions_clone(NULL);
	if (!p->actions)
		return false;
	signal_actions_ignore(p->actions, s->ignoring);
	current->sig.blocked = s->blocked;
	return true;
}

/* ---- timers: a child has none; exec keeps alarm's */

static void timers_commit(struct fork *f)
{
	timers_fork_child(current->proc);
}

static int timers_share(struct fork *f)
{
	timers_fork_child(f->proc);
	return 0;
}

static void timers_pass(struct proc *p, struct spawn_state *s)
{
	struct timer *alarm = p->timers ? &p->timers->itimer[0] : NULL;

	if (alarm) {
		s->alarm_ns = alarm->expiry_ns;
		s->alarm_interval_ns = alarm->interval_ns;
	}
}

static void timers_left(struct proc *p)
{
	timers_release(p);
}

static bool timers_take(struct proc *p, struct spawn_state *s)
{
	struct timers *ts;

	if (timers_cpu_limit())
		return false;
	ts = s->alarm_ns ? timers_get() : NULL;
	if (ts)
		timer_arm(ts, &ts->itimer[0], s->alarm_ns, s->alarm_interval_ns);
	return true;
}

/* ---- statistics: each member counts from zero. Published first: the child finds zeroes */

static int counts_prepare(struct fork *f)
{
	stats_flush();
	return 0;
}

static void counts_commit(struct fork *f)
{
	stats_fork_child();
}

/* ---- the tree: from here on others see the child */

static int tree_prepare(struct fork *f)
{
	struct kin_proc *self = current->proc->kp, *parent = self, *kp = f->kp;

	proc_refresh_cmdline(); /* the child may ask for it at once, or start a ps */
	tree_lock();
	if ((f->request->flags & (CLONE_PARENT | CLONE_THREAD)) && self->parent)
		parent = self->parent;
	kp->pgid = self->pgid;
	kp->sid = self->sid;
	proc_info_share(kp, self);
	proc_place(kp, f->member);
	kin_proc_enter(kp, parent);
	tree_unlock();
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
	proc_place(kp, (u32)(member_self() - KIN->members));
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

static int registers_share(struct fork *f)
{
	f->thread = clone_thread(f->proc, f->request, f->kp->pid);
	return f->thread ? 0 : -ENOMEM;
}

/*
 * The list, for all ways to make a process and to move one.
 *
 * fork, into a VM of its own: prepare in the parent, commit in the clone, from top to bottom; abort
 * from the failed one's predecessor to the top.
 * vfork, into this VM as a second struct proc: share, and unshare in the same way.
 * exec of such a child, which moves it to a fresh member: pass while the process is here and
 * nothing can fail any more, left when it has moved, take in the fresh member (false: no memory).
 *
 * Entropy needs no participant: the kernel keeps no pool, every request goes to the host. The tree
 * cannot fail and is last, so that nothing others have seen is undone but by a clone that fails.
 */
static const struct participant {
	const char *name;
	int (*prepare)(struct fork *f);
	void (*commit)(struct fork *f);
	void (*abort)(struct fork *f);
	int (*share)(struct fork *f);
	void (*unshare)(struct fork *f);
	void (*pass)(struct proc *p, struct spawn_state *s);
	void (*left)(struct proc *p);
	bool (*take)(struct proc *p, struct spawn_state *s);
} participants[] = {
	{"process", process_prepare, process_commit, process_abort,
	 .share = process_share, .unshare = process_abort},
	{"member record", member_prepare, member_commit, member_abort, .share = member_share},
	{"private side", .share = private_share, .unshare = private_unshare},
	{"threads", .commit = threads_commit},
	{"descriptors", descriptors_prepare, NULL, descriptors_abort,
	 .share = descriptors_prepare, .unshare = descriptors_abort, .pass = descriptors_pass},
	{"sockets of the host", sockets_prepare, sockets_commit, .left = sockets_left},
	{"pidfd", pidfd_prepare, NULL, pidfd_abort, .share = pidfd_prepare, .unshare = pidfd_abort},
	{"memory", memory_prepare, memory_commit, memory_abort,
	 .share = memory_share, .unshare = memory_unshare, .pass = memory_pass, .take = memory_take},
	{"call sites", .prepare = sites_prepare},
	{"current directory", directory_prepare, NULL, directory_abort, .share = directory_share,
	 .unshare = directory_abort, .take = directory_take},
	{"signals", .commit = signals_commit, .share = signals_share, .pass = signals_pass,
	 .take = signals_take},
	{"timers", .commit = timers_commit, .share = timers_share, .pass = timers_pass,
	 .left = timers_left, .take = timers_take},
	{"statistics", .prepare = counts_prepare, .commit = counts_commit},
	{"registers", .commit = registers_commit, .share = registers_share},
	{"tracing", trace_born, NULL, trace_unborn, .share = trace_born, .unshare = trace_unborn},
	{"process tree", tree_prepare, NULL, tree_abort, .share = tree_prepare},
};

static void undo(struct fork *f, u32 done, bool share)
{
	while (done-- > 0) {
		void (*back)(struct fork *) = share ? participants[done].unshare : participants[done].abort;

		if (back)
			back(f);
	}
}

/* In the parent. 0, or an error and all is undone. */
static int begin(struct fork *f, bool share)
{
	for (u32 i = 0; i < ARRAY_SIZE(participants); i++) {
		int (*step)(struct fork *) = share ? participants[i].share : participants[i].prepare;
		int err = step ? step(f) : 0;

		if (err) {
			undo(f, i, share);
			return err;
		}
	}
	return 0;
}

void participants_pass(struct proc *p, struct spawn_state *s)
{
	for (u32 i = 0; i < ARRAY_SIZE(participants); i++)
		if (participants[i].pass)
			participants[i].pass(p, s);
}

void participants_left(struct proc *p)
{
	for (u32 i = 0; i < ARRAY_SIZE(participants); i++)
		if (participants[i].left)
			participants[i].left(p);
}

bool participants_take(struct proc *p, struct spawn_state *s)
{
	for (u32 i = 0; i < ARRAY_SIZE(participants); i++)
		if (participants[i].take && !participants[i].take(p, s))
			return false;
	return true;
}

static void store_parent_tid(const struct clone_request *r, s32 tid)
{
	if (r->flags & CLONE_PARENT_SETTID)
		copy_out((void *)r->parent_tid, &tid, sizeof(tid));
}

/*
 * The monitor refuses a member record with a process id in it (-EINVAL). One may be left from the
 * record's last life: the parent of that one enters it late if the child was quick, and may be
 * killed before it sees that and takes it back. Freeing the record clears it.
 */
#define CLONE_TRIES 3

s64 fork_vm(const struct clone_request *r)
{
	struct fork f;
	int err, tries = 0;
	s32 pid;

	do {
		f = (struct fork){.request = r};
		err = begin(&f, false);
		if (err)
			return err;
		pid = f.kp->pid;
		KIN->members[f.member].clone_tsc = arch_cycles();
		err = arch_clone(f.member);
		if (err < 0)
			undo(&f, ARRAY_SIZE(participants), false);
	} while (err == -EINVAL && ++tries < CLONE_TRIES);
	if (err == 1) {
		for (u32 i = 0; i < ARRAY_SIZE(participants); i++)
			if (participants[i].commit)
				participants[i].commit(&f);
		return 0;
	}
	if (err < 0)
		return err;
	/*
	 * f.kp is the child's now: it may be gone already. So may its member record, but then this is
	 * one wrong number.
	 */
	KIN->members[f.member].resumed_tsc = arch_cycles();
	atomic_fetch_add(&KIN->stats.forks, 1);
	pidfd_tell(&f);
	store_parent_tid(r, pid);
	trace_born_told(r, pid);
	return pid;
}

s64 fork_share_vm(const struct clone_request *r)
{
	struct fork f = {.request = r};
	int err = begin(&f, true);
	s32 pid;

	if (err)
		return err;
	pid = f.kp->pid;
	if (r->flags & CLONE_VFORK) {
		f.proc->vfork_parent = current;
		current->vfork_child = f.proc;
	}
	atomic_fetch_add(&KIN->stats.vforks, 1);
	pidfd_tell(&f);
	store_parent_tid(r, pid);
	trace_born_told(r, pid);
	vfork_wait();
	trace_vfork_done(r, pid);
	return pid;
}

s64 fork_thread(const struct clone_request *r)
{
	struct proc *p = current->proc;
	tree_lock();
	bool full = tasks_full();
	p->kp->nthreads += !full;
	tree_unlock();
	s32 tid = full ? -EAGAIN : tid_alloc();
	if (tid >= 0 && !clone_thread(p, r, tid)) {
		tid_free(tid);
		tid = -EAGAIN;
	}
	if (tid < 0) {
		p->kp->nthreads -= !full;
		return tid;
	}
	store_parent_tid(r, tid);
	trace_born_thread(r, tid);
	trace_born_told(r, tid);
	return tid;
}
