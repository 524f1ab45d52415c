/* SPDX-License-Identifier: ISC */
/*
 * Capabilities: capabilities(7). Root of the family has all of them inside it and none on the host.
 * The sets are kept as Linux keeps them, per process, so that programs see what they have set; what
 * the kernel guards it guards by user id. There are no file capabilities, and nothing is ambient.
 */
#include <asm/errno.h>
#include <linux/capability.h>

#include "kernel/arch/arch.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/syscall/syscall.h"

#define CAPS_ALL ((2ull << CAP_LAST_CAP) - 1)

void caps_reset(struct proc_inherited *in)
{
	in->caps_permitted = in->euid && in->uid ? 0 : CAPS_ALL;
	in->caps_effective = in->euid ? 0 : CAPS_ALL;
}

void caps_exec(struct proc *p)
{
	caps_reset(&p->kp->inherited);
	p->kp->inherited.keepcaps = 0;
}

void caps_uid_changed(struct proc *p, u32 uid, u32 euid, u32 suid)
{
	struct proc_inherited *in = &p->kp->inherited;

	if ((!uid || !euid || !suid) && in->uid && in->euid && in->suid && !in->keepcaps)
		in->caps_permitted = in->caps_effective = 0;
	if (!euid && in->euid)
		in->caps_effective = 0;
	if (euid && !in->euid)
		in->caps_effective = in->caps_permitted;
}

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
	if (inheritable & ~(in->caps_inheritable | in->caps_permitted) ||
	    permitted & ~in->caps_permitted || effective & ~permitted)
		return -EPERM;
	in->caps_effective = effective;
	in->caps_permitted = permitted;
	in->caps_inheritable = inheritable;
	return 0;
}
