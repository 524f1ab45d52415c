/* SPDX-License-Identifier: ISC */
/*
 * clone with CLONE_VM: another thread of this VM. With CLONE_THREAD it belongs to the calling
 * process; without, it is the only thread of a process of its own, with its own kin_proc,
 * descriptors and signals but the caller's memory. With CLONE_VFORK the caller sleeps until the new
 * process execs or exits. On exec such a process moves to a fresh member (spawn.c); if it exits it
 * leaves a zombie that never had a VM.
 *
 * Both processes belong to this member, so signals for either ring the same doorbell, and burial of
 * the member finds both.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <linux/sched.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/sched/sched_hooks.h"
#include "kernel/task/task_hooks.h"
#include "kernel/time/time.h"
#include "kernel/vfs/vfs.h"

struct proc *proc_create(struct kin_proc *kp)
{
	struct proc *p = kmalloc_hot(sizeof(*p));

	if (!p)
		return NULL;
	p->kp = kp;
	p->dumpable = 1;
	caps_reset(p);
	LIST_INIT(&p->threads);
	LIST_INSERT_HEAD(&member_procs, p, link);
	return p;
}

/* What is left of the private side, once it is in no list: directory, handlers, the struct. */
void proc_destroy(struct proc *p)
{
	if (p->fs)
		fs_context_release(p->fs);
	if (p->actions)
		kfree(p->actions);
	p->fs = NULL;
	p->actions = NULL;
	kfree(p);
}

void fork_clear_handlers(struct signal_actions *a)
{
	for (u32 i = 0; i < NSIG; i++) {
		if (a->action[i].handler != 1 /* SIG_IGN */)
			memset(&a->action[i], 0, sizeof(a->action[i]));
	}
	a->catching = 0;
}

/*
 * The new task goes to the application with the caller's registers, result 0. NULL: no memory.
 */
static struct thread *clone_thread(struct proc *p, const struct clone_request *r, s32 tid)
{
	struct thread *self = current, *t = thread_create(p);
	struct trapframe frame = *thread_frame(self);

	if (!t)
		return NULL;
	t->tid = tid;
	t->sig = self->sig;
	signal_fork_child(t); /* also tells senders that there is a second thread */
	if ((r->flags & (CLONE_VM | CLONE_VFORK)) == CLONE_VM) {
		t->sig.alt_sp = t->sig.alt_size = 0;
		t->sig.alt_flags = 0;
	}
	arch_thread_copy(t, r->flags & CLONE_SETTLS, r->tls);
	if (r->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = r->child_tid;
	if (r->flags & CLONE_CHILD_SETTID)
		t->set_child_tid = r->child_tid;
	memcpy(t->comm, self->comm, sizeof(t->comm));
	frame_set_result(&frame, 0);
	if (r->stack)
		frame_set_sp(&frame, r->stack);
	if (thread_start_user(t, &frame)) {
		LIST_REMOVE(t, sibling);
		thread_destroy(t);
		return NULL;
	}
	return t;
}

static void store_parent_tid(const struct clone_request *r, s32 tid)
{
	if (r->flags & CLONE_PARENT_SETTID)
		copy_out((void *)r->parent_tid, &tid, sizeof(tid));
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
	return tid;
}

/* The private side of a process that shares this VM. NULL: no memory. */
static struct proc *share_proc(struct kin_proc *kp, const struct clone_request *r)
{
	struct proc *parent = current->proc, *p = proc_create(kp);

	if (!p)
		return NULL;
	p->fs = fs_context_clone(parent->fs);
	p->actions = signal_actions_clone(parent->actions);
	if (!p->fs || !p->actions) {
		LIST_REMOVE(p, link);
		proc_destroy(p);
		return NULL;
	}
	if (r->flags & CLONE_CLEAR_SIGHAND)
		fork_clear_handlers(p->actions);
	memcpy(p->rlimit_cur, parent->rlimit_cur, sizeof(p->rlimit_cur));
	memcpy(p->rlimit_max, parent->rlimit_max, sizeof(p->rlimit_max));
	p->dumpable = parent->dumpable;
	p->no_new_privs = parent->no_new_privs;
	p->personality = parent->personality;
	p->keepcaps = parent->keepcaps;
	p->caps_permitted = parent->caps_permitted;
	p->caps_effective = parent->caps_effective;
	p->caps_inheritable = parent->caps_inheritable;
	p->ngroups = parent->ngroups;
	memcpy(p->groups, parent->groups, sizeof(p->groups));
	timers_fork_child(p);
	p->mm = parent->mm;
	p->mm->refs++;
	return p;
}

static void share_undo(struct kin_proc *kp, struct proc *p)
{
	if (p) {
		p->mm->refs--;
		LIST_REMOVE(p, link);
		proc_destroy(p);
	}
	fork_descriptors_abort(kp);
	tree_lock();
	kin_proc_free(kp);
	tree_unlock();
}

static bool vfork_over(void *arg)
{
	struct thread *t = arg;

	return !t->vfork_child;
}

/*
 * Suspends the caller until p has gone to another VM or has exited. SIGKILL ends the wait: p then
 * goes on alone.
 */
static void vfork_wait(void)
{
	struct thread *t = current;

	if (wait_until(NULL, vfork_over, t, HYP_NO_DEADLINE, SLEEP_KILLABLE)) {
		t->vfork_child->vfork_parent = NULL;
		t->vfork_child = NULL;
	}
}

void vfork_release_parent(struct proc *p)
{
	struct thread *t = p->vfork_parent;

	p->vfork_parent = NULL;
	if (!t)
		return;
	t->vfork_child = NULL;
	thread_wake(t);
}

bool proc_shares_vm(struct proc *p)
{
	return p->mm && p->mm->refs > 1;
}

/* p->kp may be somebody else's by now, or live in another member: only its address is looked at. */
bool member_lost(struct proc *p)
{
	struct kin_member *self = member_self();
	struct proc *rest;

	LIST_REMOVE(p, link);
	rest = LIST_FIRST(&member_procs);
	if (!rest)
		return false;
	if (self->proc == (u64)p->kp) {
		self->pid = rest->kp->pid;
		self->ppid = rest->kp->ppid;
		atomic_store(&self->proc, (u64)rest->kp);
	}
	p->kp = rest->kp; /* for whoever follows current->proc until another thread runs */
	return true;
}

s64 fork_share_vm(const struct clone_request *r)
{
	u32 self = (u32)(member_self() - KIN->members);
	struct kin_proc *kp = fork_process(r);
	struct proc *p = NULL;
	struct thread *t = NULL;
	s32 pid;

	if (!kp)
		return -EAGAIN;
	pid = kp->pid;
	atomic_fetch_or(&kp->flags, KP_VFORK);
	if (!fork_descriptors(kp, r->flags))
		p = share_proc(kp, r);
	if (p)
		t = clone_thread(p, r, pid);
	if (!t) {
		share_undo(kp, p);
		return -ENOMEM;
	}
	fork_publish(kp, r->flags, self);
	if (r->flags & CLONE_VFORK) {
		p->vfork_parent = current;
		current->vfork_child = p;
	}
	atomic_fetch_add(&KIN->stats.vforks, 1);
	store_parent_tid(r, pid);
	vfork_wait();
	return pid;
}
