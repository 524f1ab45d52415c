/* SPDX-License-Identifier: ISC */
/*
 * System calls about scheduling. A member has one vCPU, so that is the number of processors a
 * program sees; which host CPU runs it is the host's decision. Nice values are kept, for the
 * process and not for each thread, and reported. Classes: sched_class.c.
 */
#include <asm/errno.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/time_types.h>

#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/sched/sched.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/cred.h"
#include "kernel/task/thread.h"

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

static s64 check_pid(s32 pid)
{
	struct kin_proc *p;

	if (pid < 0)
		return -EINVAL;
	tree_lock();
	p = sched_target(pid);
	tree_unlock();
	return p ? 0 : -ESRCH;
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
	tree_lock();
	struct kin_proc *p = sched_target((s32)pid);
	bool may = !p || cred_may_schedule(p);
	tree_unlock();
	return !may ? -EPERM : bits & 1 ? 0 : -EINVAL;
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
	u32 found;
	s32 denied; /* -EPERM, -EACCES: the last reason */
	bool set;
};

static int nice_visit(struct kin_proc *p, void *arg)
{
	const struct proc_inherited *me = &current->proc->kp->inherited;
	struct nice_round *r = arg;

	if (p->state == PROC_ZOMBIE && r->which != PRIO_PROCESS)
		return 0;
	r->found++;
	if (!r->set)
		r->best = MAX(r->best, 20 - p->inherited.nice);
	else if (me->euid != p->inherited.uid && me->euid != p->inherited.euid &&
			 !cred_capable(CAP_SYS_NICE))
		r->denied = -EPERM;
	else if (r->nice < p->inherited.nice && !sched_nice_permitted(p, r->nice))
		r->denied = -EACCES;
	else
		p->inherited.nice = r->nice;
	return 0;
}

static s64 nice_run(struct nice_round *r)
{
	if (r->which > PRIO_USER)
		return -EINVAL;
	proc_foreach_of(PROC_SET_ONE + (r->which - PRIO_PROCESS), r->who, nice_visit, r);
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
	return err ? err : r.denied;
}
