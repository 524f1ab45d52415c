/* SPDX-License-Identifier: ISC */
/*
 * signalfd(2). The file is a mask; what it reads are the signals of whoever reads. Pollers and
 * readers sleep on one of a few queues in kin, chosen by the process, which senders wake once a
 * signalfd was made in the family: a signal that is blocked wakes nobody otherwise.
 */
#include "kernel/event/signalfd.h"
#include "kernel/task/task_hooks.h"
#include "kernel/task/thread.h"

#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/siginfo.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/signalfd.h>

#include "kernel/arch/arch.h"
#include "kernel/kin/claim.h"
#include "kernel/fd/transfer.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/text.h"
#include "kernel/syscall/syscall.h"
#include "kernel/vfs/vfs.h"

#define QUEUES 64

struct signalfd_shared {
	struct kin_queue queue[QUEUES];
};

static void shared_init(void *p)
{
	struct signalfd_shared *shared = p;

	for (u32 i = 0; i < QUEUES; i++)
		queue_init(&shared->queue[i]);
}

/* Made by signalfd4, so it is there for every signalfd. */
static struct kin_queue *queue_of(const struct kin_proc *p)
{
	struct signalfd_shared *shared = kin_root_get(ROOT_SIGNALFD);

	return shared ? &shared->queue[p->slot % QUEUES] : NULL;
}

void signalfd_wake(const struct kin_proc *p)
{
	struct kin_queue *q = queue_of(p);

	if (q)
		queue_wake_all(q);
}

static sigset mask_of(struct file *f)
{
	return __atomic_load_n(&f->priv[0], __ATOMIC_RELAXED);
}

static void info_fill(struct signalfd_siginfo *out, const struct ksiginfo *in)
{
	memset(out, 0, sizeof(*out));
	out->ssi_signo = (u32)in->signo;
	out->ssi_errno = in->err;
	out->ssi_code = in->code;
	if (in->signo == SIGCHLD && in->code > 0) {
		out->ssi_pid = (u32)in->chld.pid;
		out->ssi_uid = in->chld.uid;
		out->ssi_status = in->chld.status;
		out->ssi_utime = in->chld.utime;
		out->ssi_stime = in->chld.stime;
	} else if (in->code == SI_TIMER) {
		out->ssi_tid = (u32)in->timer.id;
		out->ssi_overrun = (u32)in->timer.overrun;
		out->ssi_ptr = in->timer.value;
		out->ssi_int = (s32)in->timer.value;
	} else if (in->code > 0 && in->code != SI_KERNEL) {
		out->ssi_addr = in->fault.addr;
	} else {
		out->ssi_pid = (u32)in->rt.pid;
		out->ssi_uid = in->rt.uid;
		if (in->code != SI_USER && in->code != SI_TKILL) {
			out->ssi_ptr = in->rt.value;
			out->ssi_int = (s32)in->rt.value;
		}
	}
}

static bool readable(void *f)
{
	return signal_pending_set(current) & mask_of(f);
}

static s64 wait_for_signal(struct file *f)
{
	struct kin_queue *q = queue_of(current->proc->kp);

	return wait_until(q, readable, f, HYP_NO_DEADLINE, WAIT_RESTARTABLE);
}

static s64 signalfd_read(struct file *f, void *buf, size_t len, s64 *pos)
{
	struct signalfd_siginfo out;
	struct ksiginfo info;
	size_t done = 0;

	if (len < sizeof(out))
		return -EINVAL;
	while (done + sizeof(out) <= len) {
		if (signal_take(current, mask_of(f), &info)) {
			info_fill(&out, &info);
			if (copy_out((char *)buf + done, &out, sizeof(out)))
				return done ? (s64)done : -EFAULT;
			done += sizeof(out);
			continue;
		}
		if (done)
			break;
		if (file_call_flags(f) & O_NONBLOCK)
			return -EAGAIN;
		s64 err = wait_for_signal(f);
		if (err)
			return err;
	}
	return (s64)done;
}

static u32 signalfd_poll(struct file *f, struct poll_table *pt)
{
	poll_wait(pt, queue_of(current->proc->kp));
	return readable(f) ? EPOLLIN : 0;
}

static void signalfd_describe(struct file *f, struct text *t)
{
	text_add(t, "sigmask:\t%016lx\n", mask_of(f));
}

const struct file_ops signalfd_file_ops = {
	.name = "signalfd",
	.read = signalfd_read,
	.seek = seek_nowhere,
	.poll = signalfd_poll,
	.stat = anon_stat,
	.describe = signalfd_describe,
};

static s64 signalfd_create(sigset mask, u32 flags)
{
	struct file *f;

	if (!kin_root_claim(ROOT_SIGNALFD, sizeof(struct signalfd_shared), shared_init))
		return -ENOMEM;
	f = file_alloc(FILE_SIGNALFD, O_RDWR | (flags & O_NONBLOCK));
	if (!f)
		return -ENFILE;
	f->priv[0] = mask;
	return fd_install(f, 0, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
}

s64 sys_signalfd4(u64 fd, u64 umask, u64 size, u64 flags)
{
	struct file *f;
	sigset mask;
	s64 r = (s32)fd;

	if (flags & ~(u64)(O_CLOEXEC | O_NONBLOCK) || size != sizeof(mask))
		return -EINVAL;
	if (copy_in(&mask, (void *)umask, sizeof(mask)))
		return -EFAULT;
	mask &= ~SIGSET_NEVER_BLOCKED;
	if ((s32)fd == -1)
		return signalfd_create(mask, (u32)flags);
	f = fd_get((int)fd);
	if (!f)
		return -EBADF;
	if (f->type == FILE_SIGNALFD)
		__atomic_store_n(&f->priv[0], mask, __ATOMIC_RELAXED);
	else
		r = -EINVAL;
	file_put(f);
	if (r >= 0)
		signalfd_wake(current->proc->kp);
	return r;
}

s64 sys_signalfd(u64 fd, u64 mask, u64 size)
{
	return sys_signalfd4(fd, mask, size, 0);
}
