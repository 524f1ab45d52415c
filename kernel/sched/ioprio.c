/* SPDX-License-Identifier: ISC */
/*
 * ioprio_set and ioprio_get: I/O priorities are kept, for the process and not for each thread, and
 * told. What the host's block devices do with requests is the host's decision.
 */
#include <asm/errno.h>
#include <linux/ioprio.h>
#include <linux/sched.h>

#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/cred.h"
#include "kernel/task/thread.h"

struct ioprio_round {
	u32 which;
	s32 who;
	u32 value; /* set: to it; get: the best found */
	u32 found, denied;
	bool set;
};

/* What a process without a priority of its own has: it follows from its nice value. */
static u32 effective(const struct kin_proc *p)
{
	u32 class = p->inherited.sched_class == SCHED_IDLE ? IOPRIO_CLASS_IDLE : IOPRIO_CLASS_BE;

	if (IOPRIO_PRIO_CLASS(p->inherited.ioprio) != IOPRIO_CLASS_NONE)
		return p->inherited.ioprio;
	return IOPRIO_PRIO_VALUE(class, (p->inherited.nice + 20) / 5);
}

static int ioprio_visit(struct kin_proc *p, void *arg)
{
	const struct proc_inherited *me = &current->proc->kp->inherited;
	struct ioprio_round *r = arg;

	if (p->state == PROC_ZOMBIE)
		return 0;
	r->found++;
	if (!r->set && r->which == IOPRIO_WHO_PROCESS)
		r->value = p->inherited.ioprio;
	else if (!r->set)
		r->value = r->found == 1 ? effective(p) : MIN(r->value, effective(p));
	else if (me->euid != p->inherited.uid && me->uid != p->inherited.uid &&
			 !cred_capable(CAP_SYS_NICE))
		r->denied++;
	else
		p->inherited.ioprio = r->value;
	return 0;
}

static s64 ioprio_run(struct ioprio_round *r)
{
	if (r->which < IOPRIO_WHO_PROCESS || r->which > IOPRIO_WHO_USER)
		return -EINVAL;
	proc_foreach_of(PROC_SET_ONE + (r->which - IOPRIO_WHO_PROCESS), r->who, ioprio_visit, r);
	if (!r->found)
		return -ESRCH;
	return r->denied ? -EPERM : 0;
}

/* A level has three bits; what lies above it are hints, which Linux takes since 6.6. */
static s64 ioprio_check(u32 value)
{
	switch (value >> IOPRIO_CLASS_SHIFT & 7) {
	case IOPRIO_CLASS_RT:
		return cred_capable(CAP_SYS_NICE) || cred_capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
	case IOPRIO_CLASS_BE:
	case IOPRIO_CLASS_IDLE:
		return 0;
	case IOPRIO_CLASS_NONE:
		return value & 7 ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

s64 sys_ioprio_set(u64 which, u64 who, u64 value)
{
	struct ioprio_round r = {
		.which = (u32)which, .who = (s32)who, .value = (u32)value, .set = true,
	};
	s64 err = ioprio_check(r.value);

	return err ? err : ioprio_run(&r);
}

s64 sys_ioprio_get(u64 which, u64 who)
{
	struct ioprio_round r = {.which = (u32)which, .who = (s32)who};
	s64 err = ioprio_run(&r);

	return err ? err : (s64)r.value;
}
