/* SPDX-License-Identifier: ISC */
/*
 * Scheduling classes: sched_setscheduler(2) and sched_setattr(2) with their relatives. Class and
 * priority are kept, for the process and not for each thread, with Linux's rules of who may change
 * whose; they have no effect, because which member runs is the host's decision.
 */
#include <asm/errno.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sched/types.h>

#include "kernel/lib/lib.h"
#include "kernel/sched/sched.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/cred.h"
#include "kernel/task/thread.h"

#define KNOWN_FLAGS                                                                    \
	(SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_RECLAIM | SCHED_FLAG_DL_OVERRUN |           \
	 SCHED_FLAG_KEEP_ALL | SCHED_FLAG_UTIL_CLAMP)

struct sched_wish {
	s32 class; /* -1: stays */
	u32 priority;
	bool reset; /* children begin with the ordinary class */
	bool nice_given;
	s32 nice;
};

struct kin_proc *sched_target(s32 pid)
{
	struct thread *t;

	if (!pid)
		return current->proc->kp;
	LIST_FOREACH (t, &current->proc->threads, sibling)
		if (t->tid == pid)
			return current->proc->kp;
	return proc_find(pid);
}

static bool real_time(s32 class)
{
	return class == SCHED_FIFO || class == SCHED_RR;
}

s64 sched_nice_permitted(const struct kin_proc *p, s32 nice)
{
	return (u64)(20 - nice) <= p->inherited.rlimit_cur[RLIMIT_NICE] || cred_capable(CAP_SYS_NICE);
}

/* T: needs what w changes about p privilege? */
static bool privileged(const struct kin_proc *p, const struct sched_wish *w, s32 class)
{
	const struct proc_inherited *in = &p->inherited;
	u64 limit = in->rlimit_cur[RLIMIT_RTPRIO];

	if (w->nice_given && !real_time(class) && w->nice < in->nice &&
		!sched_nice_permitted(p, w->nice))
		return true;
	if (real_time(class) && ((class != (s32)in->sched_class && !limit) ||
							 (w->priority > in->sched_priority && w->priority > limit)))
		return true;
	if (in->sched_class == SCHED_IDLE && class != SCHED_IDLE &&
		!sched_nice_permitted(p, in->nice))
		return true;
	return !cred_may_schedule(p) || (in->sched_reset && !w->reset);
}

static s64 class_set(s32 pid, const struct sched_wish *w)
{
	struct kin_proc *p;
	s64 err = 0;

	tree_lock();
	p = sched_target(pid);
	s32 class = p && w->class < 0 ? (s32)p->inherited.sched_class : w->class;
	if (!p)
		err = -ESRCH;
	else if (class == SCHED_DEADLINE && w->class == SCHED_DEADLINE)
		err = cred_capable(CAP_SYS_NICE) ? -EBUSY : -EPERM; /* nothing is reserved for anybody */
	else if ((class != SCHED_NORMAL && class != SCHED_BATCH && class != SCHED_IDLE &&
			  !real_time(class)) ||
			 w->priority > RT_PRIO_MAX || real_time(class) != (w->priority != 0))
		err = -EINVAL;
	else if (privileged(p, w, class) && !cred_capable(CAP_SYS_NICE))
		err = -EPERM;
	if (!err) {
		p->inherited.sched_class = (u32)class;
		p->inherited.sched_priority = w->priority;
		p->inherited.sched_reset = w->reset;
		if (w->nice_given && !real_time(class))
			p->inherited.nice = w->nice;
	}
	tree_unlock();
	return err;
}

/* A copy of what p is scheduled by: 0, -EINVAL, -ESRCH. */
static s64 class_get(s32 pid, struct proc_inherited *out)
{
	struct kin_proc *p;

	if (pid < 0)
		return -EINVAL;
	tree_lock();
	p = sched_target(pid);
	if (p)
		*out = p->inherited;
	tree_unlock();
	return p ? 0 : -ESRCH;
}

s64 sys_sched_setscheduler(u64 pid, u64 policy, u64 uparam)
{
	struct sched_wish w = {
		.class = (s32)(policy & ~(u64)SCHED_RESET_ON_FORK),
		.reset = policy & SCHED_RESET_ON_FORK,
	};

	if (!uparam || (s32)policy < 0 || (s32)pid < 0)
		return -EINVAL;
	if (copy_in(&w.priority, (void *)uparam, sizeof(w.priority)))
		return -EFAULT;
	if (w.class == SCHED_DEADLINE)
		return -EINVAL; /* it needs more than a priority */
	return class_set((s32)pid, &w);
}

s64 sys_sched_setparam(u64 pid, u64 uparam)
{
	struct sched_wish w = {.class = -1};
	struct proc_inherited in;

	if (!uparam || (s32)pid < 0)
		return -EINVAL;
	if (copy_in(&w.priority, (void *)uparam, sizeof(w.priority)))
		return -EFAULT;
	s64 err = class_get((s32)pid, &in);
	if (err)
		return err;
	w.reset = in.sched_reset;
	return class_set((s32)pid, &w);
}

s64 sys_sched_getscheduler(u64 pid)
{
	struct proc_inherited in;
	s64 err = class_get((s32)pid, &in);

	return err ? err : (s64)(in.sched_class | (in.sched_reset ? SCHED_RESET_ON_FORK : 0));
}

s64 sys_sched_getparam(u64 pid, u64 uparam)
{
	struct proc_inherited in;
	s64 err = uparam ? class_get((s32)pid, &in) : -EINVAL;

	return err ? err : copy_out((void *)uparam, &in.sched_priority, sizeof(in.sched_priority));
}

/* Its size is in it, and the one that is known here if it is too large. */
static s64 attr_in(struct sched_attr *a, u64 user)
{
	u32 size, ours = sizeof(*a);
	s64 err = -E2BIG;

	if (copy_in(&size, (void *)user, sizeof(size)))
		return -EFAULT;
	if (!size)
		size = SCHED_ATTR_SIZE_VER0;
	if (size >= SCHED_ATTR_SIZE_VER0)
		err = struct_in(a, sizeof(*a), (void *)user, size);
	return err == -E2BIG && copy_out((void *)user, &ours, sizeof(ours)) ? -EFAULT : err;
}

s64 sys_sched_setattr(u64 pid, u64 uattr, u64 flags)
{
	struct proc_inherited in;
	struct sched_attr a;
	s64 err = !uattr || (s32)pid < 0 || flags ? -EINVAL : attr_in(&a, uattr);

	if (err)
		return err;
	if ((s32)a.sched_policy < 0 || a.sched_flags & ~(u64)KNOWN_FLAGS)
		return -EINVAL;
	err = class_get((s32)pid, &in);
	if (err)
		return err;
	if (a.sched_flags & SCHED_FLAG_UTIL_CLAMP)
		return -EOPNOTSUPP;
	struct sched_wish w = {
		.class = a.sched_flags & SCHED_FLAG_KEEP_POLICY ? -1 : (s32)a.sched_policy,
		.priority = a.sched_priority,
		.reset = a.sched_flags & SCHED_FLAG_RESET_ON_FORK,
		.nice_given = !(a.sched_flags & SCHED_FLAG_KEEP_PARAMS),
		.nice = MAX(-20, MIN(19, a.sched_nice)),
	};
	if (a.sched_flags & SCHED_FLAG_KEEP_PARAMS)
		w.priority = in.sched_priority;
	return class_set((s32)pid, &w);
}

s64 sys_sched_getattr(u64 pid, u64 uattr, u64 size, u64 flags)
{
	struct sched_attr a = {.size = MIN((u32)size, (u32)sizeof(a))};
	struct proc_inherited in;
	s64 err;

	if (!uattr || (u32)size > PAGE_SIZE || (u32)size < SCHED_ATTR_SIZE_VER0 || flags)
		return -EINVAL;
	err = class_get((s32)pid, &in);
	if (err)
		return err;
	a.sched_policy = in.sched_class;
	a.sched_flags = in.sched_reset ? SCHED_FLAG_RESET_ON_FORK : 0;
	if (real_time((s32)in.sched_class))
		a.sched_priority = in.sched_priority;
	else
		a.sched_nice = in.nice;
	a.sched_util_max = 1024;
	return copy_out((void *)uattr, &a, a.size);
}
