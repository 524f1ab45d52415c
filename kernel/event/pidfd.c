/* SPDX-License-Identifier: ISC */
/*
 * Process descriptors: pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2). The file names a slot
 * of the process table, and pid and start time tell whether the process is still the one in it.
 * Pollers sleep on one of a few queues in kin, chosen by pid, which exits wake once a pidfd was
 * made in the family.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "kernel/arch/arch.h"
#include "kernel/event/event_hooks.h"
#include "kernel/event/signalfd.h"
#include "kernel/kin/claim.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/text.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/cred.h"
#include "kernel/task/task_hooks.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/vfs.h"

#define QUEUES 64

struct pidfd_shared {
	struct kin_queue queue[QUEUES];
};

enum { PIDFD_PROC, PIDFD_PID, PIDFD_START }; /* file.priv */

static void shared_init(void *p)
{
	struct pidfd_shared *shared = p;

	for (u32 i = 0; i < QUEUES; i++)
		queue_init(&shared->queue[i]);
}

static struct kin_queue *queue_of(s32 pid)
{
	struct pidfd_shared *shared = kin_root_get(ROOT_PIDFD);

	return shared ? &shared->queue[(u32)pid % QUEUES] : NULL;
}

void pidfd_wake(s32 pid)
{
	struct kin_queue *q = queue_of(pid);

	if (q)
		queue_wake_all(q);
}

/* T: the process, NULL once it was reaped. */
static struct kin_proc *pidfd_proc(struct file *f)
{
	struct kin_proc *p = (struct kin_proc *)f->priv[PIDFD_PROC];

	if (p->state == PROC_FREE || p->pid != (s32)f->priv[PIDFD_PID] ||
		p->start_ns != f->priv[PIDFD_START])
		return NULL;
	return p;
}

static u32 pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct kin_proc *p;
	u32 mask = 0;

	poll_wait(pt, queue_of((s32)f->priv[PIDFD_PID]));
	tree_lock();
	p = pidfd_proc(f);
	if (!p)
		mask = EPOLLIN | EPOLLRDNORM | EPOLLHUP;
	else if (p->state == PROC_ZOMBIE)
		mask = EPOLLIN | EPOLLRDNORM;
	tree_unlock();
	return mask;
}

static s64 pidfd_stat(struct file *f, struct kstat *st)
{
	memset(st, 0, sizeof(*st));
	st->dev = ANON_INODE_DEV;
	st->ino = 2 + f->priv[PIDFD_PID];
	st->mode = 0600;
	st->nlink = 1;
	st->blksize = PAGE_SIZE;
	return 0;
}

static void pidfd_describe(struct file *f, struct text *t)
{
	tree_lock();
	s32 pid = pidfd_proc(f) ? (s32)f->priv[PIDFD_PID] : -1;
	tree_unlock();
	text_add(t, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
}

const struct file_ops pidfd_file_ops = {
	.name = "pidfd",
	.poll = pidfd_poll,
	.stat = pidfd_stat,
	.describe = pidfd_describe,
};

/* *f: to be given back with file_put. */
static s64 pidfd_get(int fd, struct file **f)
{
	*f = fd_get(fd);
	if (!*f)
		return -EBADF;
	if ((*f)->type == FILE_PIDFD)
		return 0;
	file_put(*f);
	return -EBADF;
}

int pidfd_pid(int fd, u32 *flags)
{
	struct file *f;
	s64 r = pidfd_get(fd, &f);

	if (r)
		return (int)r;
	r = (s64)f->priv[PIDFD_PID];
	*flags = f->flags;
	file_put(f);
	return (int)r;
}

static struct file *pidfd_new(u32 flags)
{
	return file_alloc(FILE_PIDFD, O_RDWR | (flags & O_NONBLOCK));
}

/* T, or p is not published. */
static void pidfd_set(struct file *f, struct kin_proc *p)
{
	f->priv[PIDFD_PROC] = (u64)p;
	f->priv[PIDFD_PID] = (u64)p->pid;
	f->priv[PIDFD_START] = p->start_ns;
}

s64 pidfd_install(struct kin_proc *p, u32 flags)
{
	struct file *f;

	if (!kin_root_claim(ROOT_PIDFD, sizeof(struct pidfd_shared), shared_init))
		return -ENOMEM;
	f = pidfd_new(flags);
	if (!f)
		return -ENFILE;
	pidfd_set(f, p);
	return fd_install(f, 0, FD_CLOEXEC);
}

s64 sys_pidfd_open(u64 upid, u64 flags)
{
	s32 pid = (s32)upid;
	struct kin_proc *p;
	struct file *f;

	if (flags & ~(u64)O_NONBLOCK || pid <= 0)
		return -EINVAL;
	if (!kin_root_claim(ROOT_PIDFD, sizeof(struct pidfd_shared), shared_init))
		return -ENOMEM;
	f = pidfd_new((u32)flags);
	if (!f)
		return -ENFILE;
	tree_lock();
	p = proc_find(pid);
	if (p)
		pidfd_set(f, p);
	tree_unlock();
	if (!p) {
		file_put(f);
		return -ESRCH;
	}
	return fd_install(f, 0, FD_CLOEXEC);
}

/*
 * The pid cannot be another's yet while its process is in the table, and it is not given out again
 * for long after; so the signal goes by pid.
 */
s64 sys_pidfd_send_signal(u64 fd, u64 sig, u64 info, u64 flags)
{
	struct ksiginfo given;
	struct file *f;
	bool there;
	s64 pid;

	if (flags)
		return -EINVAL;
	f = fd_get((int)fd);
	if (!f)
		return -EBADF;
	tree_lock();
	if (f->type == FILE_PIDFD) {
		there = pidfd_proc(f) != NULL;
		pid = (s64)f->priv[PIDFD_PID];
	} else {
		/* A directory /proc/PID will do. */
		pid = f->inode ? proc_dir_pid(f->inode) : 0;
		there = pid && proc_find((s32)pid);
	}
	tree_unlock();
	file_put(f);
	if (!pid)
		return -EBADF;
	if (!there)
		return -ESRCH;
	if (!info)
		return sys_kill((u64)pid, sig);
	if (copy_in(&given, (void *)info, sizeof(given)))
		return -EFAULT;
	if (given.signo != (s32)sig)
		return -EINVAL;
	return sys_rt_sigqueueinfo((u64)pid, sig, info);
}

s64 sys_pidfd_getfd(u64 fd, u64 target, u64 flags)
{
	struct kin_proc *p;
	struct file *f, *got = NULL;
	s64 r;

	if (flags)
		return -EINVAL;
	r = pidfd_get((int)fd, &f);
	if (r)
		return r;
	tree_lock();
	p = pidfd_proc(f);
	if (!p || p->state == PROC_ZOMBIE || !p->fds)
		r = -ESRCH;
	else if (!cred_may_look(p, LOOK_BY_REAL))
		r = -EPERM;
	else
		got = fdtable_get(p->fds, (int)target);
	tree_unlock();
	file_put(f);
	if (r)
		return r;
	return got ? fd_install(got, 0, FD_CLOEXEC) : -EBADF;
}
