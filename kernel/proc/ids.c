/* SPDX-License-Identifier: ISC */
/*
 * Who a process is: numbers of process, parent and thread; user and group ids. All of it is in
 * kin: others ask about it.
 */
#include <asm/errno.h>
#include <linux/capability.h>

#include "kernel/kin/kin_core.h"
#include "kernel/lib/lib.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/cred.h"

#define KEEP (~0u) /* (uid_t)-1: leave as it is */

s64 sys_getpid(void)
{
	return current->proc->kp->pid;
}

s64 sys_getppid(void)
{
	return current->proc->kp->ppid;
}

s64 sys_gettid(void)
{
	return current->tid;
}

s64 sys_set_tid_address(u64 addr)
{
	current->clear_child_tid = addr;
	return current->tid;
}

/*
 * ---- user and group ids: the same rules for three numbers each (setresuid(2), setreuid(2),
 * setuid(2))
 */

struct ids {
	u32 *real, *effective, *saved, *files;
	u32 capability; /* lets change them at will */
};

static struct ids user_ids(void)
{
	struct proc_inherited *in = &current->proc->kp->inherited;

	return (struct ids){&in->uid, &in->euid, &in->suid, &in->fsuid, CAP_SETUID};
}

static struct ids group_ids(void)
{
	struct proc_inherited *in = &current->proc->kp->inherited;

	return (struct ids){&in->gid, &in->egid, &in->sgid, &in->fsgid, CAP_SETGID};
}

static bool is_one_of(struct ids i, u32 id)
{
	return id == *i.real || id == *i.effective || id == *i.saved;
}

static s64 set_res(struct ids i, u32 real, u32 effective, u32 saved)
{
	u32 wanted[] = {real, effective, saved};

	for (u32 n = 0; n < ARRAY_SIZE(wanted) && !cred_capable(i.capability); n++)
		if (wanted[n] != KEEP && !is_one_of(i, wanted[n]))
			return -EPERM;
	if (real != KEEP)
		*i.real = real;
	if (effective != KEEP)
		*i.effective = effective;
	if (saved != KEEP)
		*i.saved = saved;
	*i.files = *i.effective;
	return 0;
}

static s64 set_re(struct ids i, u32 real, u32 effective)
{
	u32 old_real = *i.real;

	if (!cred_capable(i.capability)) {
		if (real != KEEP && real != *i.real && real != *i.effective)
			return -EPERM;
		if (effective != KEEP && !is_one_of(i, effective))
			return -EPERM;
	}
	if (real != KEEP)
		*i.real = real;
	if (effective != KEEP)
		*i.effective = effective;
	if (real != KEEP || (effective != KEEP && effective != old_real))
		*i.saved = *i.effective;
	*i.files = *i.effective;
	return 0;
}

static s64 set_one(struct ids i, u32 id)
{
	if (id == KEEP)
		return -EINVAL;
	if (cred_capable(i.capability)) {
		*i.real = *i.saved = id;
	} else if (id != *i.real && id != *i.saved) {
		return -EPERM;
	}
	*i.effective = *i.files = id;
	return 0;
}

static s64 get_res(struct ids i, u64 real, u64 effective, u64 saved)
{
	if (copy_out((void *)real, i.real, sizeof(u32)) ||
		copy_out((void *)effective, i.effective, sizeof(u32)) ||
		copy_out((void *)saved, i.saved, sizeof(u32)))
		return -EFAULT;
	return 0;
}

s64 sys_getuid(void)
{
	return current->proc->kp->inherited.uid;
}

s64 sys_geteuid(void)
{
	return current->proc->kp->inherited.euid;
}

s64 sys_getgid(void)
{
	return current->proc->kp->inherited.gid;
}

s64 sys_getegid(void)
{
	return current->proc->kp->inherited.egid;
}

/* Until ids_end nobody asks who this process is, to look into it (cred.h) or send it a signal. */
static struct proc_inherited ids_begin(void)
{
	tree_lock();
	return current->proc->kp->inherited;
}

/*
 * Who has become another may hold what the old one had: nobody looks into it until it execs, and
 * its parent's death is no business of a signal any more.
 */
static void ids_changed(const struct proc_inherited *old)
{
	struct proc_inherited *in = &current->proc->kp->inherited;

	if (old->uid != in->uid || old->euid != in->euid || old->suid != in->suid)
		caps_uid_changed(current->proc, old->uid, old->euid, old->suid);
	if (old->euid != in->euid || old->egid != in->egid || old->fsuid != in->fsuid ||
		old->fsgid != in->fsgid) {
		in->dumpable = 0;
		current->proc->kp->pdeathsig = 0;
	}
}

static s64 ids_end(const struct proc_inherited *old, s64 err)
{
	if (err >= 0)
		ids_changed(old);
	tree_unlock();
	return err;
}

/*
 * Group ids first ask for privilege by the effective user id, so the order of setgid and setuid
 * matters as on Linux.
 */
s64 sys_setuid(u64 id)
{
	struct proc_inherited old = ids_begin();

	return ids_end(&old, set_one(user_ids(), (u32)id));
}

s64 sys_setgid(u64 id)
{
	struct proc_inherited old = ids_begin();

	return ids_end(&old, set_one(group_ids(), (u32)id));
}

s64 sys_setreuid(u64 real, u64 effective)
{
	struct proc_inherited old = ids_begin();

	return ids_end(&old, set_re(user_ids(), (u32)real, (u32)effective));
}

s64 sys_setregid(u64 real, u64 effective)
{
	struct proc_inherited old = ids_begin();

	return ids_end(&old, set_re(group_ids(), (u32)real, (u32)effective));
}

s64 sys_setresuid(u64 real, u64 effective, u64 saved)
{
	struct proc_inherited old = ids_begin();

	return ids_end(&old, set_res(user_ids(), (u32)real, (u32)effective, (u32)saved));
}

s64 sys_setresgid(u64 real, u64 effective, u64 saved)
{
	struct proc_inherited old = ids_begin();

	return ids_end(&old, set_res(group_ids(), (u32)real, (u32)effective, (u32)saved));
}

s64 sys_getresuid(u64 real, u64 effective, u64 saved)
{
	return get_res(user_ids(), real, effective, saved);
}

s64 sys_getresgid(u64 real, u64 effective, u64 saved)
{
	return get_res(group_ids(), real, effective, saved);
}

/* Answers the old one, whether or not the new one may be had: setfsuid(2). */
static s64 set_files(struct ids i, u32 id)
{
	u32 old = *i.files;

	if (id != KEEP && (cred_capable(i.capability) || is_one_of(i, id) || id == old))
		*i.files = id;
	return old;
}

s64 sys_setfsuid(u64 id)
{
	struct proc_inherited old = ids_begin();
	s64 before = set_files(user_ids(), (u32)id);

	caps_fsuid_changed(current->proc, old.fsuid);
	return ids_end(&old, before);
}

s64 sys_setfsgid(u64 id)
{
	struct proc_inherited old = ids_begin();

	return ids_end(&old, set_files(group_ids(), (u32)id));
}

/* ---- supplementary groups */

s64 sys_getgroups(u64 size, u64 list)
{
	struct proc_inherited *in = &current->proc->kp->inherited;

	if ((s32)size < 0 || (size && (u32)size < in->ngroups))
		return -EINVAL;
	if (size && copy_out((void *)list, in->groups, in->ngroups * sizeof(u32)))
		return -EFAULT;
	return in->ngroups;
}

s64 sys_setgroups(u64 size, u64 list)
{
	struct proc_inherited *in = &current->proc->kp->inherited;
	u32 groups[GROUPS_MAX];

	if (!cred_capable(CAP_SETGID))
		return -EPERM;
	if (size > GROUPS_MAX)
		return -EINVAL;
	if (copy_in(groups, (void *)list, size * sizeof(u32)))
		return -EFAULT;
	memcpy(in->groups, groups, size * sizeof(u32));
	in->ngroups = (u32)size;
	return 0;
}
