/* SPDX-License-Identifier: ISC */
/*
 * The system calls that make processes and threads: decode, check, then fork.c (a VM of its own) or
 * vfork.c (the caller's VM).
 */
#include <asm/errno.h>
#include <asm/signal.h>
#include <linux/sched.h>

#include "kernel/fd/file.h"
#include "kernel/lib/lib.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/syscall/syscall.h"

#define CLONE_NAMESPACES                                                                           \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
	 CLONE_NEWNET | CLONE_NEWTIME)

#define PID_LEVELS_MAX 32 /* MAX_PID_NS_LEVEL of Linux */
#define UNSHARE_FLAGS                                                                              \
	(CLONE_NAMESPACES | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_FS | CLONE_FILES |         \
	 CLONE_SYSVSEM)

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
	if (flags & CLONE_FS && flags & (CLONE_NEWNS | CLONE_NEWUSER))
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
	if (!a.set_tid != !a.set_tid_size || a.set_tid_size > PID_LEVELS_MAX)
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

/*
 * What a process shares with others. Its threads share all that the kernel keeps by process, which
 * cannot be taken apart: EINVAL, as Linux answers to CLONE_THREAD then. Directory, mask and undo
 * values of semaphores are no other process's.
 */
s64 sys_unshare(u64 flags)
{
	u64 asked = (u32)flags;

	if (asked & ~(u64)UNSHARE_FLAGS)
		return -EINVAL;
	if (asked & ~(u64)CLONE_NAMESPACES && current->proc->kp->nthreads > 1)
		return -EINVAL;
	if (asked & CLONE_NAMESPACES)
		return -EPERM;
	return asked & CLONE_FILES ? fdtable_unshare(&current->proc->kp->fds) : 0;
}

/* There is one namespace of each kind, and /proc/PID/ns can be read, not opened. */
s64 sys_setns(u64 fd, u64 flags)
{
	struct file *f = fd_get((int)fd);
	s64 err = f ? -EINVAL : -EBADF;

	file_put(f);
	return err;
}
