/* SPDX-License-Identifier: ISC */
/*
 * Capabilities: capabilities(7). Root of the family has all of them inside it and none on the host.
 * The sets are kept per process, not for each thread. Here: what ids, exec and the calls do to
 * them; what they let a process do is asked for with cred_capable (kernel/task/cred.h).
 */
#include <asm/errno.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>

#include "kernel/arch/arch.h"
#include "kernel/lib/lib.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/cred.h"
#include "kernel/vfs/set_id.h"

#define BIT(capability) (1ull << (capability))
/* Those that come and go with the user id for files. */
#define CAPS_OF_FILES                                                                          \
	(BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER) |     \
	 BIT(CAP_FSETID) | BIT(CAP_LINUX_IMMUTABLE) | BIT(CAP_MKNOD) | BIT(CAP_MAC_OVERRIDE))

void caps_reset(struct proc_inherited *in)
{
	in->caps_permitted = in->euid && in->uid ? 0 : CAPS_ALL;
	in->caps_effective = in->euid ? 0 : CAPS_ALL;
}

void caps_uid_changed(struct proc *p, u32 uid, u32 euid, u32 suid)
{
	struct proc_inherited *in = &p->kp->inherited;

	if (in->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if ((!uid || !euid || !suid) && in->uid && in->euid && in->suid) {
		if (!(in->securebits & SECBIT_KEEP_CAPS))
			in->caps_permitted = in->caps_effective = 0;
		in->caps_ambient = 0;
	}
	if (!euid && in->euid)
		in->caps_effective = 0;
	if (euid && !in->euid)
		in->caps_effective = in->caps_permitted;
}

void caps_fsuid_changed(struct proc *p, u32 fsuid)
{
	struct proc_inherited *in = &p->kp->inherited;

	if (in->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (!fsuid && in->fsuid)
		in->caps_effective &= ~CAPS_OF_FILES;
	if (fsuid && !in->fsuid)
		in->caps_effective |= in->caps_permitted & CAPS_OF_FILES;
}

/* ---- exec */

/* What the program's own capabilities give: a set, and whether it is effective at once. */
static u64 caps_of_file(const struct proc_inherited *in, const struct file_set_id *file)
{
	return (in->caps_bounding & file->permitted) | (in->caps_inheritable & file->inheritable);
}

s64 caps_exec_check(const struct file_set_id *file)
{
	const struct proc_inherited *in = &current->proc->kp->inherited;

	/* A program that knows nothing of capabilities must not run with some of those it needs. */
	return file->effective && file->permitted & ~caps_of_file(in, file) ? -EPERM : 0;
}

bool caps_exec(const struct file_set_id *file)
{
	struct proc_inherited *in = &current->proc->kp->inherited, old = *in;
	bool effective = file->effective, changed;
	u64 permitted = file->has_caps ? caps_of_file(in, file) : 0;

	if (file->set_uid && !in->no_new_privs)
		in->euid = file->uid;
	if (file->set_gid && !in->no_new_privs)
		in->egid = file->gid;
	changed = in->euid != in->uid || in->egid != in->gid;
	/* A set-user-ID program of root's that has capabilities gets no others. */
	if (!(in->securebits & SECBIT_NOROOT) && !(file->has_caps && !in->euid && in->uid)) {
		if (!in->euid || !in->uid)
			permitted = in->caps_bounding | in->caps_inheritable;
		effective |= !in->euid;
	}
	if (in->no_new_privs)
		permitted &= old.caps_permitted;
	if (file->has_caps || changed)
		in->caps_ambient = 0;
	in->caps_permitted = permitted | in->caps_ambient;
	in->caps_effective = effective ? in->caps_permitted : in->caps_ambient;
	in->securebits &= ~(u32)SECBIT_KEEP_CAPS;
	in->suid = in->fsuid = in->euid;
	in->sgid = in->fsgid = in->egid;
	/* Nobody looks into what runs with more than who started it has, or may not read. */
	in->dumpable = !changed && file->readable && in->euid == old.euid && in->egid == old.egid &&
				   !(in->caps_permitted & ~old.caps_permitted);
	if (changed || (in->uid && (effective || in->caps_permitted & ~in->caps_ambient))) {
		current->proc->kp->pdeathsig = 0;
		return true;
	}
	return false;
}

/* ---- prctl */

s64 caps_securebits(u64 bits)
{
	struct proc_inherited *in = &current->proc->kp->inherited;

	if ((in->securebits & SECURE_ALL_LOCKS) >> 1 & (in->securebits ^ bits) ||
		in->securebits & SECURE_ALL_LOCKS & ~bits ||
		bits & ~(u64)(SECURE_ALL_LOCKS | SECURE_ALL_BITS) || !cred_capable(CAP_SETPCAP))
		return -EPERM;
	in->securebits = (u32)bits;
	return 0;
}

s64 caps_keep(u64 on)
{
	struct proc_inherited *in = &current->proc->kp->inherited;

	if (on > 1)
		return -EINVAL;
	if (in->securebits & SECBIT_KEEP_CAPS_LOCKED)
		return -EPERM;
	in->securebits = (in->securebits & ~(u32)SECBIT_KEEP_CAPS) | (on ? SECBIT_KEEP_CAPS : 0);
	return 0;
}

s64 caps_bounding_drop(u64 capability)
{
	if (!cred_capable(CAP_SETPCAP))
		return -EPERM;
	if (capability > CAP_LAST_CAP)
		return -EINVAL;
	current->proc->kp->inherited.caps_bounding &= ~BIT(capability);
	return 0;
}

s64 caps_ambient(u64 what, u64 capability, u64 c, u64 d)
{
	struct proc_inherited *in = &current->proc->kp->inherited;
	u64 bit = BIT(capability & 63);

	if (what == PR_CAP_AMBIENT_CLEAR_ALL) {
		if (capability || c || d)
			return -EINVAL;
		in->caps_ambient = 0;
		return 0;
	}
	if (capability > CAP_LAST_CAP || c || d)
		return -EINVAL;
	switch (what) {
	case PR_CAP_AMBIENT_IS_SET: return !!(in->caps_ambient & bit);
	case PR_CAP_AMBIENT_LOWER: in->caps_ambient &= ~bit; return 0;
	case PR_CAP_AMBIENT_RAISE:
		if (!(in->caps_permitted & in->caps_inheritable & bit) ||
			in->securebits & SECBIT_NO_CAP_AMBIENT_RAISE)
			return -EPERM;
		in->caps_ambient |= bit;
		return 0;
	default: return -EINVAL;
	}
}

/* ---- capget, capset */

/* 32-bit words of capabilities in this version of the interface, 0 if it is unknown. */
static u32 capability_words(u32 version)
{
	switch (version) {
	case _LINUX_CAPABILITY_VERSION_1: return _LINUX_CAPABILITY_U32S_1;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3: return _LINUX_CAPABILITY_U32S_3;
	default: return 0;
	}
}

/* 0 and the header; unknown versions are answered with the preferred one. */
static s64 capability_header(struct __user_cap_header_struct *h, u64 header)
{
	if (copy_in(h, (void *)header, sizeof(*h)))
		return -EFAULT;
	if (capability_words(h->version))
		return h->pid < 0 ? -EINVAL : 0;
	h->version = _LINUX_CAPABILITY_VERSION_3;
	if (copy_out((void *)header, &h->version, sizeof(h->version)))
		return -EFAULT;
	return -EINVAL;
}

static void caps_split(struct __user_cap_data_struct *d, const struct proc_inherited *in)
{
	u64 effective = in->caps_effective, permitted = in->caps_permitted;

	for (u32 i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		d[i].effective = (u32)(effective >> 32 * i);
		d[i].permitted = (u32)(permitted >> 32 * i);
		d[i].inheritable = (u32)(in->caps_inheritable >> 32 * i);
	}
}

static s64 caps_of(s32 pid, struct __user_cap_data_struct *d)
{
	struct kin_proc *kp = current->proc->kp;

	tree_lock();
	if (pid)
		kp = proc_find(pid);
	if (kp)
		caps_split(d, &kp->inherited);
	tree_unlock();
	return kp ? 0 : -ESRCH;
}

s64 sys_capget(u64 header, u64 data)
{
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];
	struct __user_cap_header_struct h;
	s64 err = capability_header(&h, header);

	if (err)
		return err == -EINVAL && !data ? 0 : err;
	if (!data)
		return 0;
	err = caps_of(h.pid, d);
	if (err)
		return err;
	return copy_out((void *)data, d, capability_words(h.version) * sizeof(d[0]));
}

s64 sys_capset(u64 header, u64 data)
{
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {{0}};
	struct __user_cap_header_struct h;
	struct proc *p = current->proc;
	struct proc_inherited *in = &p->kp->inherited;
	u64 effective = 0, permitted = 0, inheritable = 0;
	s64 err = capability_header(&h, header);

	if (err)
		return err;
	if (h.pid && h.pid != p->kp->pid)
		return -EPERM;
	if (copy_in(d, (void *)data, capability_words(h.version) * sizeof(d[0])))
		return -EFAULT;
	for (u32 i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		effective |= (u64)d[i].effective << 32 * i;
		permitted |= (u64)d[i].permitted << 32 * i;
		inheritable |= (u64)d[i].inheritable << 32 * i;
	}
	effective &= CAPS_ALL;
	permitted &= CAPS_ALL;
	inheritable &= CAPS_ALL;
	if ((!cred_capable(CAP_SETPCAP) &&
		 inheritable & ~(in->caps_inheritable | in->caps_permitted)) ||
		inheritable & ~(in->caps_inheritable | in->caps_bounding) ||
		permitted & ~in->caps_permitted || effective & ~permitted)
		return -EPERM;
	in->caps_effective = effective;
	in->caps_permitted = permitted;
	in->caps_inheritable = inheritable;
	in->caps_ambient &= permitted & inheritable;
	return 0;
}
