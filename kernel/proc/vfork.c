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
#include <linux/ptrace.h>
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
	LIST_INIT(&p->threads);
	LIST_INSERT_HEAD(&member_procs, p, link);
	return p;
}

/* What is left of the private side, once it is in no list: text of the directory, handlers. */
void proc_destroy(struct proc *p)
{
	fs_context_free(p->fs);
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
struct thread *clone_thread(struct proc *p, const struct clone_request *r, s32 tid)
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
	if (self->trace_request == PTRACE_SINGLESTEP)
		frame_set_step(&frame, false);
	if (r->stack)
		frame_set_sp(&frame, r->stack);
	if (thread_start_user(t, &frame)) {
		LIST_REMOVE(t, sibling);
		thread_destroy(t);
		return NULL;
	}
	return t;
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
void vfork_wait(void)
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
