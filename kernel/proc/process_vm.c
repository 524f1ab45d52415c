/* SPDX-License-Identifier: ISC */
/*
 * process_vm_readv(2), process_vm_writev(2): memory of another process, which its own kernel reads
 * or writes (kernel/sched/remote.h), piece by piece.
 */
#include <asm/errno.h>
#include <linux/uio.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/sched/remote.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/cred.h"

#define IOVS_MAX 1024

/* Two lists of pieces that are gone through together; here: of the caller, there: of the other. */
struct side {
	u64 iovs, left;      /* in the caller's memory, how many */
	u64 base, len;       /* what is left of the present one */
};

/* The next piece that is not empty. 1, 0 at the end, -EFAULT. */
static s64 side_next(struct side *s)
{
	struct iovec iov;

	while (!s->len && s->left) {
		if (copy_in(&iov, (void *)s->iovs, sizeof(iov)))
			return -EFAULT;
		s->base = (u64)iov.iov_base;
		s->len = iov.iov_len;
		s->iovs += sizeof(iov);
		s->left--;
	}
	return s->len != 0;
}

/* Are all its pieces there? Linux reads them before it looks for the process. */
static s64 side_check(struct side s)
{
	struct iovec iov;

	for (; s.left; s.left--, s.iovs += sizeof(iov)) {
		if (copy_in(&iov, (void *)s.iovs, sizeof(iov)))
			return -EFAULT;
		if ((s64)iov.iov_len < 0)
			return -EINVAL;
	}
	return 0;
}

static void side_pass(struct side *s, u64 n)
{
	s->base += n;
	s->len -= n;
}

/* One piece; how far it came, or -errno. */
static s64 piece(struct remote *r, s32 pid, const struct side *here, const struct side *there,
				 bool write)
{
	u64 len = MIN(MIN(here->len, there->len), sizeof(r->data));

	r->op = write ? REMOTE_POKE : REMOTE_PEEK;
	r->force = 0;
	r->at = there->base;
	r->len = len;
	if (write && copy_in(r->data, (void *)here->base, len))
		return -EFAULT;
	s64 n = remote_call(r, pid);
	if (n > 0 && !write && copy_out((void *)here->base, r->data, (u64)n))
		return -EFAULT;
	return n;
}

static s64 transfer(s32 pid, struct side *here, struct side *there, bool write)
{
	struct remote *r = remote_open();
	s64 done = 0, n = 0;

	if (!r)
		return -ENOMEM;
	while ((n = side_next(here)) > 0 && (n = side_next(there)) > 0) {
		u64 wanted = MIN(MIN(here->len, there->len), sizeof(r->data));

		n = piece(r, pid, here, there, write);
		if (n == -EINTR)
			return done ? done : n; /* it is closed */
		if (n <= 0)
			break;
		done += n;
		side_pass(here, (u64)n);
		side_pass(there, (u64)n);
		if ((u64)n < wanted)
			break;
	}
	remote_close(r);
	return done ? done : n;
}

/* The process that a number, of one of its threads, means; -ESRCH, -EPERM. */
static s64 permitted(s32 tid)
{
	s64 pid = -ESRCH;

	tree_lock();
	struct kin_proc *p = proc_of_thread(tid);
	if (p && p->state != PROC_ZOMBIE)
		pid = cred_may_look(p, LOOK_BY_REAL) ? p->pid : -EPERM;
	tree_unlock();
	return pid;
}

static s64 process_vm(s32 tid, struct side here, struct side there, u64 flags, bool write)
{
	if (flags || here.left > IOVS_MAX || there.left > IOVS_MAX)
		return -EINVAL;
	if (!here.left || !there.left)
		return 0;
	s64 pid = side_check(here);
	if (!pid)
		pid = side_check(there);
	if (!pid)
		pid = permitted(tid);
	return pid < 0 ? pid : transfer((s32)pid, &here, &there, write);
}

s64 sys_process_vm_readv(u64 pid, u64 local, u64 nlocal, u64 remote, u64 nremote, u64 flags)
{
	return process_vm((s32)pid, (struct side){.iovs = local, .left = nlocal},
					  (struct side){.iovs = remote, .left = nremote}, flags, false);
}

s64 sys_process_vm_writev(u64 pid, u64 local, u64 nlocal, u64 remote, u64 nremote, u64 flags)
{
	return process_vm((s32)pid, (struct side){.iovs = local, .left = nlocal},
					  (struct side){.iovs = remote, .left = nremote}, flags, true);
}
