/* SPDX-License-Identifier: ISC */
/* Permission to look into other processes and to change how they run. */
#include "kernel/task/cred.h"
#include "kernel/task/thread.h"

u64 cred_caps(void)
{
	return current && current->proc ? current->proc->kp->inherited.caps_effective : ~0ull;
}

/*
 * As for a tracer: the same ids in all three places, dumpable, and no capability that the current
 * process lacks; or CAP_SYS_PTRACE.
 */
bool cred_may_look(const struct kin_proc *p, enum look_by by)
{
	const struct kin_proc *self = current->proc->kp;
	const struct proc_inherited *me = &self->inherited, *other = &p->inherited;
	bool files = by == LOOK_BY_FILES;
	u32 uid = files ? me->fsuid : me->uid, gid = files ? me->fsgid : me->gid;
	u64 caps = files ? me->caps_effective : me->caps_permitted;

	if (p == self || cred_capable(CAP_SYS_PTRACE))
		return true;
	return uid == other->euid && uid == other->suid && uid == other->uid && gid == other->egid &&
		   gid == other->sgid && gid == other->gid && other->dumpable == 1 &&
		   !(other->caps_permitted & ~caps);
}

bool cred_may_schedule(const struct kin_proc *p)
{
	u32 euid = current->proc->kp->inherited.euid;

	return euid == p->inherited.euid || euid == p->inherited.uid || cred_capable(CAP_SYS_NICE);
}
