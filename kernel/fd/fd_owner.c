/* SPDX-License-Identifier: ISC */
/*
 * Signal-driven input and output: who owns an open file is told by SIGIO, or by the signal of
 * F_SETSIG, when there is something to read or room to write. While O_ASYNC is set the file's
 * record stands on the wait queues that its poll names, as epoll's items do (OWNER_MEMBER): what
 * wakes a queue finds it there, remembers what to send, and sends it once the queue is unlocked.
 * Source: fcntl(2), "Managing signals". As on Linux a pipe tells of each read and write, other
 * files of room only to who has found none.
 *
 * Death: the record is a slot of the file, and its hooks are taken off their queues before the
 * file's own release. What a killed member was about to send is lost.
 */
#include "kernel/fd/fd_owner.h"

#include <asm/errno.h>
#include <asm/siginfo.h>
#include <asm/sockios.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "kernel/fd/fd_hooks.h"
#include "kernel/fd/poll.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"
#include "kernel/task/owner_signal.h"
#include "kernel/task/thread.h"

#define PENDING_MAX 16 /* signals between two sendings */

struct fd_owner {
	KIN_LOCK(lock, FILE_OWNER);
	struct file_owner owner;       /* lock */
	s32 signal, fd;                /* lock */
	struct file *file;             /* no lock: constant */
	_Atomic u64 edges;             /* of a file whose queue tells of others, too */
	_Atomic u32 wants_room;
	struct kin_waiter hook[POLL_HOOKS]; /* no lock: file.owner_lock for where, else their queues' */
};

/* Private: what was remembered under a queue's lock. The kernel is not preempted. */
static struct owner_signal pending[PENDING_MAX];
static u32 npending;

static void owner_lock(struct fd_owner *o)
{
	kin_lock_recover(&o->lock, kin_recover_whole, NULL);
}

/* Of its record, and of the queues that that stands on. */
static void hooks_lock(struct file *f)
{
	kin_lock_recover(&f->owner_lock, kin_recover_whole, NULL);
}

/* Made when it is first needed; NULL: no memory. */
static struct fd_owner *owner_make(struct file *f)
{
	struct fd_owner *fresh;

	if (f->owner)
		return f->owner;
	fresh = own_new(OWN_MEMORY, sizeof(*fresh));
	if (!fresh)
		return NULL;
	fresh->file = f;
	hooks_lock(f);
	if (!f->owner) {
		own_give(&f->owner, fresh);
		fresh = NULL;
	}
	kin_unlock(&f->owner_lock);
	own_free(fresh);
	return f->owner;
}

/* ---- told */

static s32 reason_of(struct fd_owner *o, u32 events)
{
	struct file *f = o->file;

	if (f->type == FILE_INOTIFY) { /* all of them have one queue */
		u64 edges = file_ops[f->type]->edges(f);

		return atomic_exchange(&o->edges, edges) == edges ? 0 : POLL_IN;
	}
	if (events & EPOLLHUP)
		return POLL_HUP;
	if (events & EPOLLIN)
		return POLL_IN;
	if (!(events & EPOLLOUT))
		return 0;
	return f->type == FILE_PIPE || atomic_exchange(&o->wants_room, 0) ? POLL_OUT : 0;
}

bool owner_told(struct kin_waiter *w, u32 events)
{
	struct fd_owner *o = (struct fd_owner *)w->key;
	s32 reason;

	if (npending == PENDING_MAX)
		return false;
	reason = reason_of(o, events);
	if (!reason)
		return true;
	owner_lock(o);
	pending[npending++] = (struct owner_signal){o->owner, o->signal, o->fd, reason};
	kin_unlock(&o->lock);
	return true;
}

void owners_signal(void)
{
	while (npending) {
		struct owner_signal s = pending[--npending];

		owner_signal_send(&s);
	}
}

/* ---- standing on queues */

/* Where a file names its queues; the poll_table that calls back first. */
struct names {
	struct poll_table poll;
	struct fd_owner *owner;
	u32 named; /* hooks on queues that the file has named */
};

static void hook_queue(struct poll_table *pt, struct kin_queue *q, u32 events)
{
	struct names *n = (struct names *)pt;
	bool stands;
	struct kin_waiter *w = poll_hook_for(n->owner->hook, &n->named, q, &stands);

	if (!w)
		return;
	w->bits = events; /* a socket that listens now waits for less */
	if (stands)
		return;
	w->member = OWNER_MEMBER;
	w->key = (u64)n->owner;
	w->exclusive = false;
	queue_add(q, w);
}

static void hooks_remove(struct fd_owner *o)
{
	for (u32 k = 0; k < POLL_HOOKS; k++)
		queue_remove(&o->hook[k]);
}

void owner_follow(struct file *f)
{
	struct names n = {.owner = f->owner};

	if (!n.owner || !(atomic_load(&f->flags) & FASYNC))
		return;
	poll_table_init(&n.poll);
	n.poll.hook = hook_queue;
	hooks_lock(f);
	file_poll(f, ~0u, &n.poll);
	kin_unlock(&f->owner_lock);
}

static bool signals(const struct file *f)
{
	switch (f->type) {
	case FILE_PIPE:
	case FILE_SOCKET:
	case FILE_PTY:
	case FILE_INOTIFY:
	case FILE_HOST_IO: return true;
	default: return false;
	}
}

s64 owner_async(struct file *f, s32 fd, bool on)
{
	struct fd_owner *o;

	if (!signals(f))
		return -ENOTTY;
	o = on ? owner_make(f) : f->owner;
	if (!o)
		return on ? -ENOMEM : 0;
	if (!on) {
		atomic_fetch_and(&f->flags, ~(u32)FASYNC);
		hooks_lock(f);
		hooks_remove(o);
		kin_unlock(&f->owner_lock);
		return 0;
	}
	owner_lock(o);
	o->fd = fd;
	kin_unlock(&o->lock);
	if (f->type == FILE_PTY && !o->owner.id) {
		s32 foreground = terminal_foreground(f);

		owner_fcntl(f, F_SETOWN, (u64)(foreground ? -foreground : current->proc->kp->pid));
	}
	if (f->type == FILE_INOTIFY)
		atomic_store(&o->edges, file_ops[f->type]->edges(f));
	atomic_fetch_or(&f->flags, FASYNC);
	owner_follow(f);
	return 0;
}

void owner_wants_room(struct file *f)
{
	if (f->owner)
		atomic_store(&f->owner->wants_room, 1);
}

void owner_gone(struct file *f)
{
	if (!f->owner)
		return;
	hooks_remove(f->owner);
	own_free(own_take(OWN_MEMORY, &f->owner, NULL));
}

/* ---- fcntl and ioctl */

static s64 set_owner(struct file *f, u32 type, s32 id)
{
	struct file_owner owner;
	s64 err = owner_set(&owner, type, id);
	struct fd_owner *o = err ? NULL : owner_make(f);

	if (!o)
		return err ? err : -ENOMEM;
	owner_lock(o);
	o->owner = owner;
	kin_unlock(&o->lock);
	if (file_ops[f->type]->owner) /* of urgent data he is told by the socket itself */
		file_ops[f->type]->owner(f, type == F_OWNER_PGRP ? -id : id);
	return 0;
}

/* F_SETOWN: a group's number is negative. */
static s64 set_owner_signed(struct file *f, s32 who)
{
	if (who == INT32_MIN)
		return -EINVAL;
	return set_owner(f, who < 0 ? F_OWNER_PGRP : F_OWNER_PID, who < 0 ? -who : who);
}

static struct file_owner get_owner(struct file *f)
{
	struct fd_owner *o = f->owner;
	struct file_owner owner = {.type = F_OWNER_PID};

	if (!o)
		return owner;
	owner_lock(o);
	owner = o->owner;
	kin_unlock(&o->lock);
	owner.id = owner_id(&owner);
	return owner;
}

static s32 get_owner_signed(struct file *f)
{
	struct file_owner owner = get_owner(f);

	return owner.type == F_OWNER_PGRP ? -owner.id : owner.id;
}

static s64 set_signal(struct file *f, u64 sig)
{
	struct fd_owner *o;

	if (sig > NSIG)
		return -EINVAL;
	o = owner_make(f);
	if (!o)
		return -ENOMEM;
	owner_lock(o);
	o->signal = (s32)sig;
	kin_unlock(&o->lock);
	return 0;
}

s64 owner_default(struct file *f)
{
	return f->owner && f->owner->owner.id ? 0 : set_owner_signed(f, current->proc->kp->pid);
}

void owner_forget(struct file *f)
{
	struct fd_owner *o = f->owner;

	if (!o)
		return;
	owner_lock(o);
	o->owner = (struct file_owner){.type = F_OWNER_PID};
	o->signal = 0;
	kin_unlock(&o->lock);
}

void owner_message(struct file *f, s32 fd)
{
	struct fd_owner *o = f->owner;

	if (!o)
		return;
	owner_lock(o);
	struct owner_signal s = {o->owner, o->signal, fd, POLL_MSG};
	kin_unlock(&o->lock);
	owner_signal_send(&s);
}

s64 owner_fcntl(struct file *f, u32 cmd, u64 arg)
{
	struct f_owner_ex ex;
	struct file_owner owner;

	switch (cmd) {
	case F_SETOWN: return set_owner_signed(f, (s32)arg);
	case F_GETOWN: return get_owner_signed(f);
	case F_SETOWN_EX:
		if (copy_in(&ex, (const void *)arg, sizeof(ex)))
			return -EFAULT;
		return set_owner(f, (u32)ex.type, ex.pid);
	case F_GETOWN_EX:
		owner = get_owner(f);
		ex = (struct f_owner_ex){(int)owner.type, owner.id};
		return copy_out((void *)arg, &ex, sizeof(ex)) ? -EFAULT : 0;
	case F_SETSIG: return set_signal(f, arg);
	case F_GETSIG: return f->owner ? f->owner->signal : 0;
	default: return -EINVAL;
	}
}

s64 owner_ioctl(struct file *f, u32 cmd, u64 arg)
{
	s32 who;

	if (f->type != FILE_SOCKET)
		return -ENOTTY;
	switch (cmd) {
	case FIOSETOWN:
	case SIOCSPGRP:
		if (copy_in(&who, (const void *)arg, sizeof(who)))
			return -EFAULT;
		return set_owner_signed(f, who);
	case FIOGETOWN:
	case SIOCGPGRP:
		who = get_owner_signed(f);
		return copy_out((void *)arg, &who, sizeof(who)) ? -EFAULT : 0;
	default: return -ENOTTY;
	}
}
