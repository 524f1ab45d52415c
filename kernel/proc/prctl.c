/* SPDX-License-Identifier: ISC */
/*
 * prctl, personality: attributes of the process that the kernel keeps and mostly only
 * reports.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/signal/seccomp.h"
#include "kernel/syscall/syscall.h"

static s64 set_name(u64 addr)
{
	char name[COMM_LEN] = {0};
	s64 len = string_in(name, (void *)addr, sizeof(name));

	if (len == -EFAULT)
		return -EFAULT;
	name[COMM_LEN - 1] = '\0';
	proc_set_comm(current, name);
	proc_refresh_cmdline(); /* programs that set one title set both */
	return 0;
}

static s64 set_flag(u32 *flag, u64 value, u64 max)
{
	if (value > max)
		return -EINVAL;
	*flag = (u32)value;
	return 0;
}

/* Kept and reported; timers are not late on purpose. */
static s64 set_timer_slack(u64 ns)
{
	current->timer_slack_ns = (s64)ns > 0 ? ns : current->timer_slack_default_ns;
	return 0;
}

static s64 set_subreaper(u64 on)
{
	_Atomic u32 *flags = &current->proc->kp->flags;

	if (on)
		atomic_fetch_or(flags, KP_SUBREAPER);
	else
		atomic_fetch_and(flags, ~(u32)KP_SUBREAPER);
	return 0;
}

static s64 get_number(u64 addr, s32 value)
{
	return copy_out((void *)addr, &value, sizeof(value));
}

s64 sys_prctl(u64 option, u64 a, u64 b, u64 c, u64 d)
{
	struct kin_proc *kp = current->proc->kp;
	struct proc_inherited *in = &kp->inherited;

	switch ((s32)option) {
	case PR_SET_NAME: return set_name(a);
	case PR_GET_NAME: return copy_out((void *)a, current->comm, COMM_LEN);
	case PR_SET_PDEATHSIG:
		if (a > NSIG)
			return -EINVAL;
		kp->pdeathsig = (s32)a;
		return 0;
	case PR_GET_PDEATHSIG: return get_number(a, kp->pdeathsig);
	case PR_SET_DUMPABLE: return set_flag(&in->dumpable, a, 1);
	case PR_GET_DUMPABLE: return in->dumpable;
	case PR_SET_KEEPCAPS: return caps_keep(a);
	case PR_GET_KEEPCAPS: return !!(in->securebits & SECBIT_KEEP_CAPS);
	case PR_SET_NO_NEW_PRIVS:
		if (a != 1 || b || c || d)
			return -EINVAL;
		in->no_new_privs = 1;
		return 0;
	case PR_GET_NO_NEW_PRIVS: return a || b || c || d ? -EINVAL : (s64)in->no_new_privs;
	case PR_SET_CHILD_SUBREAPER: return set_subreaper(a);
	case PR_GET_CHILD_SUBREAPER: return get_number(a, !!(kp->flags & KP_SUBREAPER));
	case PR_SET_TIMERSLACK: return set_timer_slack(a);
	case PR_GET_TIMERSLACK: return (s64)MIN(current->timer_slack_ns, 0x7ffffffffffffffful);
	case PR_GET_SECUREBITS: return in->securebits;
	case PR_SET_SECUREBITS: return caps_securebits(a);
	case PR_GET_SECCOMP: return in->seccomp_mode;
	case PR_SET_SECCOMP: return seccomp_mode_set(a, b);
	case PR_CAPBSET_READ:
		return a <= CAP_LAST_CAP ? (s64)(in->caps_bounding >> a & 1) : -EINVAL;
	case PR_CAPBSET_DROP: return caps_bounding_drop(a);
	case PR_CAP_AMBIENT: return caps_ambient(a, b, c, d);
	case PR_GET_TSC: return get_number(a, PR_TSC_ENABLE);
	case PR_GET_TID_ADDRESS: return copy_out((void *)a, &current->clear_child_tid, sizeof(u64));
	case PR_SET_MM: return mm_prctl(a, b, c, d);
	case PR_SET_THP_DISABLE: return b || c || d ? -EINVAL : 0;
	case PR_GET_THP_DISABLE: return a || b || c || d ? -EINVAL : 0;
	case PR_GET_TIMING: return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING: return a == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_GET_SPECULATION_CTRL:
	case PR_SET_SPECULATION_CTRL: return -ENODEV; /* the host's to choose */
	default: return -EINVAL;
	}
}

s64 sys_personality(u64 persona)
{
	u32 old = current->proc->kp->inherited.personality;

	if ((u32)persona != 0xffffffff)
		current->proc->kp->inherited.personality = (u32)persona;
	return old;
}
