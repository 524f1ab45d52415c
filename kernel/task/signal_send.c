/* SPDX-License-Identifier: ISC */
/*
 * The sender's side: posting into the target's queue in kin, waking and interrupting its member,
 * permission. The sender knows nothing of the target's private side but what it published
 * (kin_signals.dropped, quiet).
 */
#include <asm/errno.h>
#include <asm/siginfo.h>
#include <linux/resource.h>

#include "kernel/host/host.h"
#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/cred.h"
#include "kernel/task/signal_queue.h"
#include "kernel/task/task_hooks.h"
#include "kernel/task/thread.h"

/* Real-time signals that may wait in one queue: the target's limit. */
static u64 queue_limit(const struct kin_proc *to, const struct ksiginfo *info)
{
	return info->code == SI_TIMER ? ~0ull : to->inherited.rlimit_cur[RLIMIT_SIGPENDING];
}

struct ksiginfo signal_info_user(int sig, int code)
{
	struct kin_proc *me = current->proc->kp;

	return (struct ksiginfo){ .signo = sig, .code = code,
		.rt = { .pid = me->pid, .uid = me->inherited.uid } };
}

/* SIGCONT and stops cancel each other at the moment of sending. Under the target's lock. */
static void cancel_opposite(struct kin_signals *s, int sig)
{
	sigset set;

	if (sig == SIGCONT)
		set = SIGSET_STOP;
	else if (SIGBIT(sig) & SIGSET_STOP)
		set = SIGBIT(SIGCONT);
	else
		return;
	signal_queue_flush(&s->queue, &s->pending, set); /* standard signals: no nodes */
	s->flush &= ~SIGBIT(sig); /* atomic, both: the owner takes it without the lock */
	s->flush |= set;
}

int signal_post(struct kin_proc *target, int sig, const struct ksiginfo *info)
{
	struct ksiginfo kernel_info = { .signo = sig, .code = SI_KERNEL };
	struct kin_signals *s = &target->signals;
	struct signal_node *node = NULL;
	u32 state = target->state;
	int posted = 0;

	if (state == PROC_FREE || state == PROC_ZOMBIE)
		return 0;
	if (!info)
		info = &kernel_info;
	kassert(info->signo == sig);
	if (sig >= 32)
		node = kin_alloc(sizeof(*node)); /* NULL: as if the queue were full */
	signals_lock(s);
	cancel_opposite(s, sig);
	if (!(s->dropped & SIGBIT(sig)) || target->traced) /* a tracer sees what is ignored, too */
		posted = signal_queue_post(&s->queue, &s->pending, info, queue_limit(target, info),
			&node);
	signals_unlock(s);
	if (node)
		kin_free(node);
	if (posted == 1)
		atomic_exchange(&target->attention, 1);
	return posted;
}

/*
 * Our own member runs this code: attention makes it look on the way out, and exit work wakes
 * threads of ours that sleep. Any other is rung, and interrupted if it computes. quiet is read
 * after attention was stored.
 */
void signal_notify(struct kin_proc *target, int sig)
{
	u32 member = target->member;

	if (member == NO_MEMBER)
		return;
	if (member == BOOT_INFO->member) {
		publish(&current->proc->kp->attention, 1);
		doorbell_ring(member);
		return;
	}
	if (!(target->signals.quiet & SIGBIT(sig)))
		member_kick(member); /* rings, too */
}

int signal_send(struct kin_proc *target, int sig, const struct ksiginfo *info)
{
	int posted = signal_post(target, sig, info);

	if (posted == 1) {
		signal_notify(target, sig);
		signalfd_wake(target);
	}
	return posted < 0 ? posted : 0;
}

int signal_post_thread(struct thread *t, int sig, const struct ksiginfo *info)
{
	struct kin_signals *s = &t->proc->kp->signals;
	struct ksiginfo kernel_info = { .signo = sig, .code = SI_KERNEL };
	struct signal_node *node = NULL;
	int posted;

	if (!info)
		info = &kernel_info;
	signal_apply_flush(t->proc);
	if (sig == SIGCONT || (SIGBIT(sig) & SIGSET_STOP)) {
		signals_lock(s);
		cancel_opposite(s, sig);
		signals_unlock(s);
		signal_apply_flush(t->proc);
	}
	if (signal_ignored_set(t->proc) & ~t->sig.blocked & ~t->sig.waited & SIGBIT(sig) &&
		!t->proc->kp->traced)
		return 0;
	if (sig >= 32)
		node = kmalloc(sizeof(*node));
	posted = signal_queue_post(&t->sig.queue, &t->sig.pending, info,
		queue_limit(t->proc->kp, info), &node);
	if (node)
		kfree(node);
	if (posted == 1) {
		publish(&t->proc->kp->attention, 1);
		signalfd_wake(t->proc->kp);
		if (t != current && signal_pending(t))
			thread_wake(t);
	}
	return posted;
}

int signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info)
{
	int posted = signal_post_thread(t, sig, info);

	return posted < 0 ? posted : 0;
}

/* ---- kill(2) and its relatives */

/* T: may the current process send sig to p? kill(2), "Permissions". */
static bool kill_permitted(const struct kin_proc *p, int sig)
{
	const struct kin_proc *self = current->proc->kp;
	const struct proc_inherited *me = &self->inherited, *to = &p->inherited;

	if (self == p || cred_capable(CAP_KILL))
		return true;
	if (me->euid == to->suid || me->euid == to->uid || me->uid == to->suid || me->uid == to->uid)
		return true;
	return sig == SIGCONT && self->sid == p->sid;
}

/* A sending under way: whom to ring once tree_lock is released. */
struct kill_round {
	int sig;
	const struct ksiginfo *info;
	s32 pgid; /* 0: everyone but PID 1 and ourselves */
	u32 reached, denied;
	bool doomed; /* SIGKILL was sent to a member other than this */
	u64 ring[MEMBERS_MAX / 64];
};

/*
 * T: p's member dies of SIGKILL by itself, as soon as its kernel looks. One that has lost its
 * kernel to a wild store never does; so the supervisor is told whom to end after a while. A vfork
 * child lives in its parent's member, which is to go on.
 */
static void doom(struct kill_round *k, const struct kin_proc *p)
{
	struct kin_member *m = &KIN->members[p->member];

	if (atomic_load(&m->proc) != (u64)p)
		return;
	atomic_store(&m->doomed, atomic_load(&m->generation));
	atomic_fetch_or(&KIN->doom_map[p->member / 64], 1ull << p->member % 64);
	k->doomed = true;
}

/* T. 0, -EPERM, -EAGAIN */
static int kill_one(struct kill_round *k, struct kin_proc *p)
{
	int posted;

	if (!kill_permitted(p, k->sig))
		return -EPERM;
	if (!k->sig)
		return 0;
	posted = signal_post(p, k->sig, k->info);
	if (posted >= 0 && (k->sig == SIGCONT || k->sig == SIGKILL))
		proc_end_stop(p, k->sig);
	if (posted != 1)
		return posted;
	tree_wake_signalfd(p);
	if (k->sig == SIGKILL && p->member < MEMBERS_MAX && p->member != BOOT_INFO->member)
		doom(k, p);
	if (p->member == BOOT_INFO->member)
		signal_notify(p, k->sig);
	else if (p->member < MEMBERS_MAX && !(p->signals.quiet & SIGBIT(k->sig)))
		k->ring[p->member / 64] |= 1ull << (p->member % 64);
	return 0;
}

/* By now a member may carry another process: it looks, finds nothing, and goes on. */
static void kill_ring(const struct kill_round *k)
{
	for (u32 i = 0; i < ARRAY_SIZE(k->ring); i++) {
		for (u64 bits = k->ring[i]; bits; bits &= bits - 1)
			member_kick(i * 64 + (u32)__builtin_ctzll(bits));
	}
	if (k->doomed)
		host_notify();
}

static int kill_visit(struct kin_proc *p, void *arg)
{
	struct kill_round *k = arg;
	int err;

	if (k->pgid ? p->pgid != k->pgid : p->pid <= 1 || p == current->proc->kp)
		return 0;
	err = kill_one(k, p);
	if (err == -EPERM)
		k->denied++;
	else
		k->reached++;
	return 0;
}

static struct kin_proc *find_target(s32 pid)
{
	struct kin_proc *p = proc_find(pid);
	struct thread *t;

	if (p)
		return p;
	LIST_FOREACH(t, &current->proc->threads, sibling) {
		if (t->tid == pid)
			return current->proc->kp;
	}
	return NULL;
}

/* pid > 0: that process. 0 or below: as kill(2). */
static s64 kill_any(s32 pid, int sig, const struct ksiginfo *info)
{
	struct kill_round k = { .sig = sig, .info = info };
	struct kin_proc *p;
	s64 rc = -ESRCH;

	tree_lock();
	if (pid > 0) {
		p = find_target(pid);
		if (p && (p->state == PROC_RUNNING || p->state == PROC_STOPPED || p->state == PROC_ZOMBIE))
			rc = kill_one(&k, p);
	} else if (pid != INT32_MIN) {
		k.pgid = pid == -1 ? 0 : pid ? -pid : current->proc->kp->pgid;
		proc_foreach(kill_visit, &k);
		/*
		 * A group of which none may be told is EPERM, but telling all is no error as long as there
		 * is anyone.
		 */
		if (k.reached || (k.denied && pid == -1))
			rc = 0;
		else if (k.denied)
			rc = -EPERM;
	}
	tree_unlock();
	kill_ring(&k);
	return rc;
}

/* Linux looks for the process before it looks at the signal's number. */
static s64 kill_checked(s32 pid, u32 sig, const struct ksiginfo *info)
{
	if (sig <= NSIG)
		return kill_any(pid, (int)sig, info);
	return kill_any(pid, 0, info) == -ESRCH ? -ESRCH : -EINVAL;
}

s64 sys_kill(u64 pid, u64 sig)
{
	struct ksiginfo info = signal_info_user((int)sig, SI_USER);

	return kill_checked((s32)pid, (u32)sig, &info);
}

static s64 queue_info(u64 pid, u64 sig, u64 uinfo, struct ksiginfo *info)
{
	if (copy_in(info, (void *)uinfo, sizeof(*info)))
		return -EFAULT;
	info->signo = (s32)sig;
	/* Only the kernel says that it comes from the kernel, and nobody speaks for kill(2). */
	if ((info->code >= 0 || info->code == SI_TKILL) && (s32)pid != current->proc->kp->pid)
		return -EPERM;
	if (info->code == SI_TIMER)
		info->timer.sequence = 0; /* no timer of ours */
	return 0;
}

s64 sys_rt_sigqueueinfo(u64 pid, u64 sig, u64 uinfo)
{
	struct ksiginfo info;
	s64 rc = queue_info(pid, sig, uinfo, &info);

	if (rc)
		return rc;
	return (s32)pid <= 0 ? -ESRCH : kill_checked((s32)pid, (u32)sig, &info);
}

/*
 * A thread of another process: its member is asked, unless the process has no other thread or the
 * signal concerns all.
 */
static s64 kill_foreign(s32 tgid, s32 tid, int sig, const struct ksiginfo *info)
{
	bool whole = sig == SIGKILL || sig == SIGCONT;
	s64 err = -ESRCH;
	s32 pid = 0;

	tree_lock();
	struct kin_proc *p = proc_of_thread(tid);
	if (p && (tgid == -1 || p->pid == tgid)) {
		err = kill_permitted(p, sig) ? 0 : -EPERM;
		pid = p->pid;
		whole |= p->state == PROC_ZOMBIE || (p->nthreads <= 1 && pid == tid);
	}
	tree_unlock();
	if (err)
		return err;
	return whole ? kill_any(pid, sig, info) : thread_signal_remote(pid, tid, sig, info);
}

/* Threads of this process are found in its list. */
static s64 kill_thread(s32 tgid, s32 tid, int sig, const struct ksiginfo *info)
{
	struct kin_proc *me = current->proc->kp;
	struct thread *t;

	if (tid <= 0 || tgid < -1 || tgid == 0)
		return -EINVAL;
	if ((u32)sig > NSIG)
		return kill_thread(tgid, tid, 0, info) == -ESRCH ? -ESRCH : -EINVAL;
	if (tgid == me->pid || tgid == -1) {
		LIST_FOREACH(t, &current->proc->threads, sibling) {
			if (t->tid == tid && t->state != THREAD_DEAD)
				return sig ? signal_send_thread(t, sig, info) : 0;
		}
		if (tgid == me->pid)
			return -ESRCH;
	}
	return kill_foreign(tgid, tid, sig, info);
}

s64 sys_tgkill(u64 tgid, u64 tid, u64 sig)
{
	struct ksiginfo info = signal_info_user((int)sig, SI_TKILL);

	return (s32)tgid <= 0 ? -EINVAL : kill_thread((s32)tgid, (s32)tid, (int)sig, &info);
}

s64 sys_tkill(u64 tid, u64 sig)
{
	struct ksiginfo info = signal_info_user((int)sig, SI_TKILL);

	return kill_thread(-1, (s32)tid, (int)sig, &info);
}

s64 sys_rt_tgsigqueueinfo(u64 tgid, u64 tid, u64 sig, u64 uinfo)
{
	struct ksiginfo info;
	s64 rc = queue_info(tgid, sig, uinfo, &info);

	if (rc)
		return rc;
	return (s32)tgid <= 0 ? -EINVAL : kill_thread((s32)tgid, (s32)tid, (int)sig, &info);
}
