/* SPDX-License-Identifier: ISC */
/*
 * The target's side of pending signals: masks, dispositions, what is deliverable, and taking it.
 * Masks, actions and thread-directed signals are private to the member and change only while its
 * kernel runs, which is never preempted. Process-directed signals lie in kin under
 * kin_signals.lock; the bits of pending are read without it, because only the owner clears them and
 * a sender's setting is followed by attention.
 */
#include <asm/errno.h>
#include <asm/siginfo.h>

#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/task/signal_queue.h"
#include "kernel/task/task_hooks.h"
#include "kernel/task/thread.h"
#include "kernel/task/trace.h"

/*
 * Signals that a sender may never drop or post quietly: they act on a process that blocks or
 * ignores them.
 */
#define SIGSET_ALWAYS_TOLD (SIGSET_NEVER_BLOCKED | SIGBIT(SIGCONT))

static bool signals_recover(void *arg)
{
	struct kin_signals *s = arg;

	signal_queue_repair(&s->queue, &s->pending);
	return true;
}

void signals_lock(struct kin_signals *s)
{
	kin_lock_recover(&s->lock, signals_recover, s);
}

void signals_unlock(struct kin_signals *s)
{
	kin_unlock(&s->lock);
}

void signal_nodes_free(struct signal_node *list, bool kin)
{
	struct signal_node *next;

	for (; list; list = next) {
		next = list->next;
		if (kin)
			kin_free(list);
		else
			kfree(list);
	}
}

sigset signal_ignored_set(const struct proc *p)
{
	if (!p->actions)
		return SIGSET_DEFAULT_IGNORE;
	return p->actions->ignoring | (SIGSET_DEFAULT_IGNORE & ~p->actions->catching);
}

sigset signal_pending_set(struct thread *t)
{
	return t->sig.pending | t->proc->kp->signals.pending;
}

bool signal_pending(struct thread *t)
{
	sigset set = signal_pending_set(t) & (~t->sig.blocked | t->sig.waited);

	if (trace_wanted(t)) { /* its tracer wants it: the call is interrupted and made again */
		publish(&t->proc->kp->attention, 1);
		return true;
	}
	if (!set)
		return false;
	if (!(set & (t->sig.waited | ~signal_ignored_set(t->proc))) && !t->proc->kp->traced)
		return false;
	publish(&t->proc->kp->attention, 1);
	return true;
}

/*
 * With one thread, masks are exact. With more, a signal may find a thread that takes it, so nothing
 * is promised: every signal is posted and interrupts. A store here, then a look at pending (locked
 * instructions both); a sender sets pending, then reads quiet: one of the two sees the other, so
 * that a signal just unblocked is not left lying.
 */
void signals_mirror(struct proc *p)
{
	struct kin_signals *s = &p->kp->signals;
	struct thread *t = LIST_FIRST(&p->threads);
	sigset dropped = 0, quiet = 0;

	if (t && !LIST_NEXT(t, sibling)) {
		sigset mine = ~t->sig.waited & ~SIGSET_ALWAYS_TOLD;

		dropped = signal_ignored_set(p) & ~t->sig.blocked & mine;
		quiet = t->sig.blocked & mine;
	}
	if (s->dropped != dropped)
		s->dropped = dropped;
	if (s->quiet != quiet)
		s->quiet = quiet;
}

void signal_set_blocked(sigset blocked)
{
	struct thread *t = current;

	blocked &= ~SIGSET_NEVER_BLOCKED;
	if (t->sig.blocked == blocked)
		return;
	t->sig.blocked = blocked;
	signals_mirror(t->proc);
	(void)signal_pending(t);
}

void signal_mask_swap(sigset temporary)
{
	struct thread *t = current;

	t->sig.saved_mask = t->sig.blocked;
	t->sig.restore_mask = true;
	signal_set_blocked(temporary);
}

void signal_mask_done(bool interrupted)
{
	struct thread *t = current;

	if (!t->sig.restore_mask)
		return;
	if (interrupted) { /* signal_deliver needs the temporary mask, and puts the old one back */
		publish(&t->proc->kp->attention, 1);
		return;
	}
	t->sig.restore_mask = false;
	signal_set_blocked(t->sig.saved_mask);
}

static int take_private(struct thread *t, sigset set, struct ksiginfo *info)
{
	int sig = signal_choose(set);

	signal_nodes_free(signal_queue_take(&t->sig.queue, &t->sig.pending, sig, info), false);
	return sig;
}

static int take_shared(struct kin_signals *s, sigset want, struct ksiginfo *info)
{
	struct signal_node *freed = NULL;
	sigset set;
	int sig = 0;

	signals_lock(s);
	set = s->pending & want;
	if (set) {
		sig = signal_choose(set);
		freed = signal_queue_take(&s->queue, &s->pending, sig, info);
	}
	signals_unlock(s);
	signal_nodes_free(freed, true);
	return sig;
}

int signal_take(struct thread *t, sigset want, struct ksiginfo *info)
{
	struct kin_signals *s = &t->proc->kp->signals;
	sigset private = t->sig.pending & want, shared = s->pending & want;
	int sig = 0;

	if (shared & SIGBIT(SIGKILL))
		sig = take_shared(s, SIGBIT(SIGKILL), info);
	if (!sig && private)
		sig = take_private(t, private, info);
	if (!sig && shared)
		sig = take_shared(s, want, info);
	if (sig && info->code == SI_TIMER)
		timers_signal_taken(t->proc, info);
	return sig;
}

/* Timers whose signal is discarded start their next period. */
void signal_discard(struct proc *p, sigset set)
{
	struct kin_signals *s = &p->kp->signals;
	struct signal_node *freed = NULL;
	struct thread *t;

	if (s->pending & set) {
		signals_lock(s);
		freed = signal_queue_flush(&s->queue, &s->pending, set);
		signals_unlock(s);
	}
	signal_nodes_free(freed, true);
	LIST_FOREACH(t, &p->threads, sibling) {
		if (t->sig.pending & set)
			signal_nodes_free(signal_queue_flush(&t->sig.queue, &t->sig.pending, set), false);
	}
	timers_signals_discarded(p, set);
}

void signal_apply_flush(struct proc *p)
{
	struct kin_signals *s = &p->kp->signals;
	struct thread *t;
	sigset set;

	if (!s->flush)
		return;
	set = atomic_exchange(&s->flush, 0);
	LIST_FOREACH(t, &p->threads, sibling) {
		if (t->sig.pending & set)
			signal_nodes_free(signal_queue_flush(&t->sig.queue, &t->sig.pending, set), false);
	}
}

/* How SIGCHLD is handled matters to children that exit: they read it in kin. */
static void mirror_sigchld(struct proc *p)
{
	const struct signal_action *a = &p->actions->action[SIGCHLD - 1];
	u32 flags = 0;

	if (a->handler == HANDLER_IGNORE || (a->flags & SA_NOCLDWAIT))
		flags |= KP_NOCLDWAIT;
	if (a->flags & SA_NOCLDSTOP)
		flags |= KP_NOCLDSTOP;
	atomic_fetch_or(&p->kp->flags, flags);
	atomic_fetch_and(&p->kp->flags, ~(KP_NOCLDWAIT | KP_NOCLDSTOP) | flags);
}

void signal_action_set(struct proc *p, int sig, const struct signal_action *a)
{
	struct signal_actions *all = p->actions;
	sigset bit = SIGBIT(sig), ignored_before = signal_ignored_set(p);

	all->action[sig - 1] = *a;
	all->ignoring &= ~bit;
	all->catching &= ~bit;
	if (a->handler == HANDLER_IGNORE)
		all->ignoring |= bit;
	else if (a->handler != HANDLER_DEFAULT)
		all->catching |= bit;
	if (sig == SIGCHLD)
		mirror_sigchld(p);
	signals_mirror(p);
	/*
	 * What came while it was ignored and not blocked is not delivered to a handler installed later.
	 */
	if (signal_ignored_set(p) & bit)
		signal_discard(p, bit);
	else if (ignored_before & bit & ~current->sig.blocked)
		signal_discard(p, bit);
}

void signal_actions_ignore(struct signal_actions *a, sigset set)
{
	for (u32 sig = 1; sig <= NSIG; sig++)
		if (set & SIGBIT(sig))
			a->action[sig - 1].handler = 1; /* SIG_IGN */
	a->ignoring = set;
}

struct signal_actions *signal_actions_clone(const struct signal_actions *a)
{
	struct signal_actions *copy = kmalloc(sizeof(*copy));

	if (copy && a)
		*copy = *a;
	return copy;
}

void signal_fork_child(struct thread *t)
{
	struct thread_signals *s = &t->sig;

	/* The nodes are copies of the parent's or the parent's own (vfork): not ours to free. */
	s->pending = 0;
	s->queue.head = s->queue.tail = NULL;
	s->queue.queued = 0;
	s->waited = 0;
	s->restore_mask = false;
	signals_mirror(t->proc);
	if (t->proc->actions)
		mirror_sigchld(t->proc);
}

void signal_exec(struct thread *t)
{
	struct signal_actions *all = t->proc->actions;

	for (int sig = 1; sig <= NSIG; sig++) {
		struct signal_action *a = &all->action[sig - 1];
		u64 handler = a->handler == HANDLER_IGNORE ? HANDLER_IGNORE : HANDLER_DEFAULT;

		*a = (struct signal_action){ .handler = handler };
	}
	all->catching = 0;
	t->sig.alt_sp = t->sig.alt_size = 0;
	t->sig.alt_flags = 0;
	t->sig.restore_mask = false;
	t->restart_fn = 0;
	mirror_sigchld(t->proc);
	signals_mirror(t->proc);
}

void signals_release(struct kin_proc *p)
{
	struct kin_signals *s = &p->signals;
	struct signal_node *freed;

	signals_lock(s);
	freed = signal_queue_flush(&s->queue, &s->pending, ~0ull);
	s->dropped = s->quiet = s->flush = 0;
	signals_unlock(s);
	signal_nodes_free(freed, true);
}

void signal_thread_release(struct thread *t)
{
	signal_nodes_free(signal_queue_flush(&t->sig.queue, &t->sig.pending, ~0ull), false);
}
