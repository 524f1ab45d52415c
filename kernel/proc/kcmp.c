/* SPDX-License-Identifier: ISC */
/* kcmp(2): do two processes share a thing? The order of two that are different is by address. */
#include <asm/errno.h>
#include <linux/kcmp.h>

#include "kernel/fd/file.h"
#include "kernel/lib/lib.h"
#include "kernel/sched/sched.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/cred.h"
#include "kernel/task/thread.h"

/* 0: equal, 1: less, 2: greater. */
static s64 compare(u64 a, u64 b)
{
	return a == b ? 0 : a < b ? 1 : 2;
}

/* T. Processes that share memory live in one member; what else is private goes with it. */
static u64 memory_of(const struct kin_proc *p)
{
	while (p->flags & KP_VFORK && p->parent && p->parent->member == p->member)
		p = p->parent;
	return (u64)p;
}

static s64 compare_of(struct kin_proc *p[2], u64 type)
{
	switch (type) {
	case KCMP_FILES: return compare((u64)p[0]->fds, (u64)p[1]->fds);
	case KCMP_VM: return compare(memory_of(p[0]), memory_of(p[1]));
	case KCMP_SYSVSEM:
	case KCMP_FS:
	case KCMP_SIGHAND: return compare((u64)p[0], (u64)p[1]);
	case KCMP_IO: return 0; /* nobody has an I/O context */
	case KCMP_EPOLL_TFD: return -EOPNOTSUPP;
	default: return -EINVAL;
	}
}

/* Files are held, to be put without the lock: only so their addresses stay theirs. */
static s64 files_get(struct kin_proc *p[2], const u64 *fd, struct file **f)
{
	for (u32 i = 0; i < 2; i++) {
		if (p[i]->state != PROC_ZOMBIE && p[i]->fds)
			f[i] = fdtable_get(p[i]->fds, (int)fd[i]);
		if (!f[i])
			return -EBADF;
	}
	return compare((u64)f[0], (u64)f[1]);
}

s64 sys_kcmp(u64 pid1, u64 pid2, u64 type, u64 a, u64 b)
{
	struct file *f[2] = {NULL, NULL};
	struct kin_proc *p[2];
	s64 r;

	tree_lock();
	p[0] = (s32)pid1 > 0 ? sched_target((s32)pid1) : NULL;
	p[1] = (s32)pid2 > 0 ? sched_target((s32)pid2) : NULL;
	if (!p[0] || !p[1])
		r = -ESRCH;
	else if (!cred_may_look(p[0], LOOK_BY_REAL) || !cred_may_look(p[1], LOOK_BY_REAL))
		r = -EPERM;
	else
		r = type == KCMP_FILE ? files_get(p, (const u64[]){a, b}, f) : compare_of(p, type);
	tree_unlock();
	file_put(f[1]);
	file_put(f[0]);
	return r;
}
