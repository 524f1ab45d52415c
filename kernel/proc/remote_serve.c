/* SPDX-License-Identifier: ISC */
/*
 * What this member answers when another one asks (kernel/sched/remote.h): about a process of its
 * own, whose threads stand somewhere in the kernel or were interrupted. Nothing here sleeps.
 */
#include <asm/errno.h>
#include <linux/elf.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/procfs/procfs.h"
#include "kernel/sched/remote.h"
#include "kernel/sched/sched_hooks.h"

static struct proc *member_proc(s32 pid)
{
	struct proc *p;

	LIST_FOREACH (p, &member_procs, link)
		if (p->kp->pid == pid)
			return p;
	return NULL;
}

struct thread *member_thread(s32 pid, s32 tid)
{
	struct proc *p = member_proc(pid);
	struct thread *t;

	if (p)
		LIST_FOREACH (t, &p->threads, sibling)
			if (t->tid == tid)
				return t;
	return NULL;
}

/* Of a thread that stands in a stop: then they lie in its area. */
static s64 registers(struct remote *r)
{
	struct thread *t = member_thread(r->pid, r->tid);
	struct arch_regs regs;
	size_t size = 0;
	const void *from = t ? arch_regset(t, thread_frame(t), (u32)r->at, &regs, &size) : NULL;

	if (!from)
		return t ? -EINVAL : -ESRCH;
	size = MIN(size, sizeof(r->data));
	memcpy(r->data, from, size);
	return (s64)size;
}

static s64 set_registers(struct remote *r)
{
	struct thread *t = member_thread(r->pid, r->tid);

	return t ? arch_regset_write(t, (u32)r->at, r->data, MIN(r->len, sizeof(r->data))) : -ESRCH;
}

static s64 signal(const struct remote *r)
{
	struct thread *t = member_thread(r->pid, r->tid);
	struct ksiginfo info;

	memcpy(&info, r->data, sizeof(info));
	if (!t)
		return -ESRCH;
	return info.signo ? signal_send_thread(t, info.signo, &info) : 0;
}

static s64 next_thread(const struct proc *p, s32 from)
{
	const struct thread *t;
	s32 best = 0;

	LIST_FOREACH (t, &p->threads, sibling)
		if (t->tid >= from && (!best || t->tid < best))
			best = t->tid;
	return best;
}

s64 remote_serve(struct remote *r)
{
	struct proc *p = member_proc(r->pid);
	u64 len = MIN(r->len, sizeof(r->data));

	if (!p)
		return -EAGAIN; /* it is moving from member to member */
	switch (r->op) {
	case REMOTE_PEEK:
	case REMOTE_POKE:
		if (!p->mm)
			return -ESRCH;
		return mm_access(p->mm, r->at, r->data, len, r->op == REMOTE_POKE, r->force);
	case REMOTE_REGISTERS: return registers(r);
	case REMOTE_SET_REGISTERS: return set_registers(r);
	case REMOTE_TEXT: return proc_text_piece((u32)r->at, r->pid, r->tid, r->offset, r->data, len);
	case REMOTE_SIGNAL: return signal(r);
	case REMOTE_THREAD: return next_thread(p, (s32)r->at);
	default: return -EINVAL;
	}
}
