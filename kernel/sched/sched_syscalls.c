/* SPDX-License-Identifier: ISC */
/*
 * System calls about scheduling. A member has one vCPU, so that is the number of processors a
 * program sees; which host CPU runs it is the host's decision. Nice values and scheduling classes
 * are kept, for the process and not for each thread, and reported.
 */
#include <asm/errno.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/time_types.h>

#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/sched/sched.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"

#define RT_PRIO_MAX 99
#define NICE_MIN (-20)
#define NICE_MAX 19

s64 sys_sched_yield(void)
{
	if (sched_others())
		sched_poll();
	if (sched_runnable())
		schedule();
	else
		host_yield();
	return 0;
}

/*
 * The scheduling class of a process of the family (or of the one with a thread of that id here).
 * A class that is not negative becomes the new one.
 */
static s64 class_exchange(s32 pid, s32 class)
{
	struct kin_proc *p = pid ? NULL : current->proc->kp;
	struct thread *t;
	s64 old = -ESRCH;

	if (pid < 0)
		return -EINVAL;
	LIST_FOREACH (t, &current->proc->threads, sibling)
		if (t->tid == pid)
			p = current->proc->kp;
	tree_lock();
	if (!p)
		p = proc_find(pid);
	if (p) {
		old = p->inherited.sched_class;
		if (class >= 0)
			p->inherited.sched_class = (u32) class;
	}
	tree_unlock();
	return old;
}

static s64 check_pid(s32 pid)
{
	s64 class = class_exchange(pid, -1);

	return class < 0 ? class : 0;
}

s64 sys_sched_setaffinity(u64 pid, u64 len, u64 mask)
{
	u64 bits = 0;
	s64 err;

	if (copy_in(&bits, (void *)mask, MIN(len, sizeof(bits))))
		return -EFAULT;
	err = (s32)pid < 0 ? -ESRCH : check_pid((s32)pid);
	if (err)
		return err;
	return bits & 1 ? 0 : -EINVAL;
}

s64 sys_sched_getaffinity(u64 pid, u64 len, u64 mask)
{
	u64 bits = 1;
	s64 err;

	if ((u32)len < sizeof(bits) || len % sizeof(bits))
		return -EINVAL;
	err = (s32)pid < 0 ? -ESRCH : check_pid((s32)pid);
	if (err)
		return err;
	return copy_out((void *)mask, &bits, sizeof(bits)) ? -EFAULT : (s64)sizeof(bits);
}

static s64 priority_max(u32 policy)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR: return RT_PRIO_MAX;
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
	case SCHED_DEADLINE: return 0;
	default: return -EINVAL;
	}
}

s64 sys_sched_get_priority_max(u64 policy)
{
	return priority_max((u32)policy);
}

s64 sys_sched_get_priority_min(u64 policy)
{
	s64 max = priority_max((u32)policy);

	return max > 0 ? 1 : max;
}

s64 sys_sched_getscheduler(u64 pid)
{
	return class_exchange((s32)pid, -1);
}

s64 sys_sched_setscheduler(u64 pid, u64 policy, u64 uparam)
{
	s32 priority;
	s32 class = (s32)(policy & ~(u64)SCHED_RESET_ON_FORK);
	s64 err, max = priority_max((u32) class);

	if (!uparam || (s32)policy < 0 || class == SCHED_DEADLINE)
		return -EINVAL;
	if (copy_in(&priority, (void *)uparam, sizeof(priority)))
		return -EFAULT;
	err = check_pid((s32)pid);
	if (err)
		return err;
	if (max < 0 || priority < 0 || priority > max || (max && !priority))
		return -EINVAL;
	if (max)
		return -EPERM; /* real-time classes would need the host's */
	err = class_exchange((s32)pid, class);
	return err < 0 ? err : 0;
}

s64 sys_sched_getparam(u64 pid, u64 uparam)
{
	s32 priority = 0;
	s64 err = uparam ? check_pid((s32)pid) : -EINVAL;

	return err ? err : copy_out((void *)uparam, &priority, sizeof(priority));
}

s64 sys_sched_setparam(u64 pid, u64 uparam)
{
	s32 priority;
	s64 err = uparam ? check_pid((s32)pid) : -EINVAL;

	if (err)
		return err;
	if (copy_in(&priority, (void *)uparam, sizeof(priority)))
		return -EFAULT;
	return priority ? -EINVAL : 0;
}

s64 sys_sched_rr_get_interval(u64 pid, u64 uinterval)
{
	struct __kernel_timespec ts = {.tv_nsec = 4000000};
	s64 err = check_pid((s32)pid);

	return err ? err : copy_out((void *)uinterval, &ts, sizeof(ts));
}

/* ---- nice values */

struct nice_round {
	u32 which;
	s32 who, nice;
	s32 best; /* get: 20 - the lowest nice found; 0: none */
	u32 found, denied;
	bool set;
};

static int nice_visit(struct kin_proc *p, void *arg)
{
	const struct proc_inherited *me = &current->proc->kp->inherited;
	struct nice_round *r = arg;

	if (p->state == PROC_ZOMBIE && r->which != PRIO_PROCESS)
		return 0;
	if ((r->which == PRIO_PROCESS && p->pid != r->who) ||
		(r->which == PRIO_PGRP && p->pgid != r->who) ||
		(r->which == PRIO_USER && p->inherited.uid != (u32)r->who))
		return 0;
	r->found++;
	if (!r->set)
		r->best = MAX(r->best, 20 - p->inherited.nice);
	else if (me->euid && (me->euid != p->inherited.euid || r->nice < p->inherited.nice))
		r->denied++;
	else
		p->inherited.nice = r->nice;
	return 0;
}

static s64 nice_run(struct nice_round *r)
{
	struct kin_proc *self = current->proc->kp;

	if (r->which > PRIO_USER)
		return -EINVAL;
	if (!r->who)
		r->who = r->which == PRIO_PROCESS ? self->pid
				 : r->which == PRIO_PGRP  ? self->pgid
										  : (s32)self->inherited.uid;
	tree_lock();
	proc_foreach(nice_visit, r);
	tree_unlock();
	return r->found ? 0 : -ESRCH;
}

s64 sys_getpriority(u64 which, u64 who)
{
	struct nice_round r = {.which = (u32)which, .who = (s32)who};
	s64 err = nice_run(&r);

	return err ? err : r.best;
}

s64 sys_setpriority(u64 which, u64 who, u64 nice)
{
	struct nice_round r = {.which = (u32)which, .who = (s32)who, .set = true};
	s64 err;

	r.nice = MAX(NICE_MIN, MIN(NICE_MAX, (s32)nice));
	err = nice_run(&r);
	if (!err && r.denied)
		err = -EACCES;
	return err;
}
