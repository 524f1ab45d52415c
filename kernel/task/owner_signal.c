/* SPDX-License-Identifier: ISC */
/*
 * Signals to the owner of an open file. The process table says who it is today: a process that has
 * ended gets nothing, also when its number is another's by now. Whether the signal may be sent is
 * asked of the ids of who set the owner, as they were then. Source: fcntl(2), "Managing signals".
 */
#include "kernel/task/owner_signal.h"

#include <asm/errno.h>
#include <asm/siginfo.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "kernel/task/table.h"
#include "kernel/task/thread.h"

/* T: the process that has a thread of this number. */
static struct kin_proc *thread_process(s32 tid)
{
	struct kin_proc *p = proc_find(tid);
	struct thread *t;

	if (p || !proc_table->tid_member || tid <= 0 || tid >= PID_MAX)
		return p;
	u32 member = proc_table->tid_member[tid];
	if (!member)
		return NULL;
	if (member - 1 != BOOT_INFO->member)
		return (struct kin_proc *)atomic_load(&KIN->members[member - 1].proc);
	LIST_FOREACH(t, &current->proc->threads, sibling)
		if (t->tid == tid)
			return current->proc->kp;
	return NULL;
}

s64 owner_set(struct file_owner *o, u32 type, s32 id)
{
	struct kin_proc *me = current->proc->kp;
	struct file_owner fresh = {
		.type = type, .id = id, .uid = me->inherited.uid, .euid = me->inherited.euid};
	s64 err = 0;

	if (type > F_OWNER_PGRP)
		return -EINVAL;
	if (id) {
		tree_lock();
		if (type == F_OWNER_PGRP) {
			err = group_exists(id, 0) ? 0 : -ESRCH;
		} else {
			fresh.proc = type == F_OWNER_TID ? thread_process(id) : proc_find(id);
			err = fresh.proc ? 0 : -ESRCH;
			fresh.start_ns = err ? 0 : fresh.proc->start_ns;
		}
		tree_unlock();
	}
	if (!err)
		*o = fresh;
	return err;
}

/* T */
static bool owner_lives(const struct file_owner *o)
{
	if (!o->id)
		return false;
	if (o->type == F_OWNER_PGRP)
		return group_exists(o->id, 0);
	return o->proc->start_ns == o->start_ns && o->proc->state != PROC_FREE &&
		   o->proc->state != PROC_EMBRYO;
}

s32 owner_id(const struct file_owner *o)
{
	tree_lock();
	bool lives = owner_lives(o);
	tree_unlock();
	return lives ? o->id : 0;
}

static struct ksiginfo signal_info(const struct owner_signal *s)
{
	static const u32 bands[] = {
		[POLL_IN] = EPOLLIN | EPOLLRDNORM,
		[POLL_OUT] = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND,
		[POLL_MSG] = EPOLLIN | EPOLLRDNORM | EPOLLMSG,
		[POLL_HUP] = EPOLLHUP | EPOLLERR,
	};
	struct ksiginfo info = {.signo = s->signal, .code = (s16)s->reason};

	/* These have codes of their own, with which this one could be mistaken. */
	if (SIGBIT(s->signal) & (SIGSET_SYNCHRONOUS | SIGBIT(SIGCHLD)))
		info.code = SI_SIGIO;
	info.io.band = bands[s->reason];
	info.io.fd = s->fd;
	return info;
}

/* A queue that is full gets the one signal that needs no place in it. */
static void send_thread(struct thread *t, const struct owner_signal *s)
{
	struct ksiginfo info = signal_info(s);

	if (!s->signal || signal_send_thread(t, s->signal, &info) < 0)
		signal_send_thread(t, SIGIO, NULL);
}

/* T */
static int send_process(struct kin_proc *p, void *arg)
{
	const struct owner_signal *s = arg;
	const struct file_owner *o = &s->owner;
	const struct proc_inherited *to = &p->inherited;
	struct ksiginfo info = signal_info(s);

	if (o->type == F_OWNER_PGRP ? p->pgid != o->id : p != o->proc)
		return 0;
	if (p->state == PROC_ZOMBIE)
		return 0;
	if (o->euid && o->euid != to->suid && o->euid != to->uid && o->uid != to->suid &&
		o->uid != to->uid)
		return 0;
	if (o->type == F_OWNER_TID && p == current->proc->kp) {
		struct thread *t;

		LIST_FOREACH(t, &current->proc->threads, sibling)
			if (t->tid == o->id && t->state != THREAD_DEAD)
				send_thread(t, s);
		return 0;
	}
	if (!s->signal || tree_signal(p, s->signal, &info) < 0)
		tree_signal(p, SIGIO, NULL);
	return 0;
}

void owner_signal_send(const struct owner_signal *s)
{
	tree_lock();
	if (owner_lives(&s->owner))
		proc_foreach(send_process, (void *)s);
	tree_unlock();
}
