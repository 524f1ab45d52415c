/* SPDX-License-Identifier: ISC */
/*
 * The system calls that make processes and threads: decode, check, then fork.c (a VM of its own) or
 * vfork.c (the caller's VM).
 */
#include <asm/errno.h>
#include <asm/signal.h>
#include <linux/sched.h>

#include "kernel/lib/lib.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/syscall/syscall.h"

#define CLONE_NAMESPACES                                                                           \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
	 CLONE_NEWNET | CLONE_NEWTIME)

static s64 clone_run(const struct clone_request *r)
{
	u64 flags = r->flags;

	if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
		return -EINVAL;
	if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
		return -EINVAL;
	if ((flags & CLONE_CLEAR_SIGHAND) && (flags & CLONE_SIGHAND))
		return -EINVAL;
	if (r->exit_signal > NSIG)
		return -EINVAL;
	if (flags & CLONE_NAMESPACES)
		return -EPERM;
	if (flags & CLONE_INTO_CGROUP)
		return -EINVAL;
	if (flags & CLONE_PIDFD && flags & (CLONE_THREAD | CLONE_DETACHED))
		return -EINVAL;
	if (flags & CLONE_THREAD)
		return fork_thread(r);
	return flags & CLONE_VM ? fork_share_vm(r) : fork_vm(r);
}

s64 proc_fork(u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls, u32 exit_signal)
{
	struct clone_request r = {
		.flags = flags,
		.stack = stack,
		.parent_tid = parent_tid,
		.child_tid = child_tid,
		.tls = tls,
		.pidfd = parent_tid, /* clone has one argument for both */
		.exit_signal = exit_signal,
	};

	return clone_run(&r);
}

s64 sys_fork(void)
{
	return proc_fork(0, 0, 0, 0, 0, SIGCHLD);
}

s64 sys_vfork(void)
{
	return proc_fork(CLONE_VM | CLONE_VFORK, 0, 0, 0, 0, SIGCHLD);
}

s64 sys_clone(u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls)
{
	/* Only 32 bits of flags exist here: the low eight are the exit signal. */
	u64 own = (u32)flags & ~(u64)CSIGNAL;

	if (own & CLONE_PIDFD && own & CLONE_PARENT_SETTID)
		return -EINVAL;
	return proc_fork(own, stack, parent_tid, child_tid, tls, flags & CSIGNAL);
}

static s64 clone_args_in(struct clone_args *a, u64 addr, u64 size)
{
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	return struct_in(a, sizeof(*a), (void *)addr, size);
}

s64 sys_clone3(u64 addr, u64 size)
{
	struct clone_args a;
	struct clone_request r;
	s64 err = clone_args_in(&a, addr, size);

	if (err)
		return err;
	if (a.flags & (CSIGNAL | CLONE_DETACHED) & ~(u64)CLONE_NEWTIME)
		return -EINVAL;
	if (a.flags >> 34)
		return -EINVAL;
	if ((a.flags & (CLONE_THREAD | CLONE_PARENT)) && a.exit_signal)
		return -EINVAL;
	if (a.exit_signal > NSIG || !a.stack != !a.stack_size)
		return -EINVAL;
	if (a.flags & CLONE_PIDFD && a.flags & CLONE_PARENT_SETTID && a.pidfd == a.parent_tid)
		return -EINVAL;
	if (a.set_tid_size)
		return -EPERM;
	r = (struct clone_request){
		.flags = a.flags,
		.stack = a.stack + a.stack_size,
		.parent_tid = a.parent_tid,
		.child_tid = a.child_tid,
		.tls = a.tls,
		.pidfd = a.pidfd,
		.exit_signal = (u32)a.exit_signal,
	};
	return clone_run(&r);
}
