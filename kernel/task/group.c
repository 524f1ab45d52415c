/* SPDX-License-Identifier: ISC */
/*
 * Process groups and sessions: setpgid(2), setsid(2), orphaned groups (POSIX: 3.264, exit). All
 * state under tree_lock.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/signal.h>

#include "kernel/syscall/syscall.h"
#include "kernel/task/table.h"
#include "kernel/task/thread.h"

struct group {
	s32 pgid, sid;
	struct kin_proc *without;
	int sig, reached;
	const struct ksiginfo *info;
};

static int is_in(struct kin_proc *p, void *arg)
{
	struct group *g = arg;

	return p->pgid == g->pgid && (!g->sid || p->sid == g->sid);
}

bool group_exists(s32 pgid, s32 sid)
{
	struct group g = {.pgid = pgid, .sid = sid};

	return proc_foreach(is_in, &g);
}

static int send_if_in(struct kin_proc *p, void *arg)
{
	struct group *g = arg;

	if (p->pgid != g->pgid || p->state == PROC_ZOMBIE)
		return 0;
	tree_signal(p, g->sig, g->info);
	g->reached++;
	return 0;
}

int group_signal(s32 pgid, int sig, const struct ksiginfo *info)
{
	struct group g = {.pgid = pgid, .sig = sig, .info = info};

	proc_foreach(send_if_in, &g);
	return g.reached;
}

/* A parent of the same session in another group can continue p: the group has somebody. */
/*
 * T: has its process group somebody to continue it, in the same session but not in the group? Of
 * PID 1 that is the shell outside.
 */
bool proc_has_guardian(const struct kin_proc *p)
{
	if (p->pid == 1)
		return KIN->job;
	return p->parent && p->parent->pgid != p->pgid && p->parent->sid == p->sid;
}

static int has_guardian(struct kin_proc *p, void *arg)
{
	struct group *g = arg;

	return p->pgid == g->pgid && p != g->without && p->state != PROC_ZOMBIE && p->sid == g->sid &&
	       proc_has_guardian(p);
}

static int is_stopped(struct kin_proc *p, void *arg)
{
	struct group *g = arg;

	return p->pgid == g->pgid && p != g->without && p->state == PROC_STOPPED;
}

void group_check_orphaned(s32 pgid, s32 sid, struct kin_proc *without)
{
	struct group g = {.pgid = pgid, .sid = sid, .without = without};

	if (!proc_table->nstopped || !proc_foreach(is_stopped, &g) || proc_foreach(has_guardian, &g))
		return;
	group_signal(pgid, SIGHUP, NULL);
	group_signal(pgid, SIGCONT, NULL);
}

static struct kin_proc *find_or_self(s32 pid)
{
	struct kin_proc *self = current->proc->kp;

	return !pid || pid == self->pid ? self : proc_find(pid);
}

/* T */
static s64 setpgid_locked(s32 pid, s32 pgid)
{
	struct kin_proc *self = current->proc->kp;
	struct kin_proc *p = find_or_self(pid);

	if (!p || (p != self && p->parent != self))
		return -ESRCH;
	if (p != self) {
		if (p->sid != self->sid)
			return -EPERM;
		if (p->flags & KP_EXECED)
			return -EACCES;
	}
	if (p->sid == p->pid)
		return -EPERM;
	if (!pgid)
		pgid = p->pid;
	if (pgid != p->pid && !group_exists(pgid, self->sid))
		return -EPERM;
	p->pgid = pgid;
	return 0;
}

s64 sys_setpgid(u64 pid, u64 pgid)
{
	s64 r;

	if ((s32)pgid < 0 || (!(s32)pgid && (s32)pid < 0))
		return -EINVAL;
	tree_lock();
	r = setpgid_locked((s32)pid, (s32)pgid);
	tree_unlock();
	return r;
}

s64 sys_getpgid(u64 pid)
{
	struct kin_proc *p;
	s64 r;

	tree_lock();
	p = find_or_self((s32)pid);
	r = p ? p->pgid : -ESRCH;
	tree_unlock();
	return r;
}

s64 sys_getpgrp(void)
{
	return current->proc->kp->pgid;
}

s64 sys_getsid(u64 pid)
{
	struct kin_proc *p;
	s64 r;

	tree_lock();
	p = find_or_self((s32)pid);
	r = p ? p->sid : -ESRCH;
	tree_unlock();
	return r;
}

s64 sys_setsid(void)
{
	struct kin_proc *self = current->proc->kp;
	s64 r = -EPERM;

	tree_lock();
	if (self->sid != self->pid && !group_exists(self->pid, 0)) {
		self->sid = self->pgid = self->pid;
		r = self->pid;
	}
	tree_unlock();
	return r;
}
