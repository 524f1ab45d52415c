/* SPDX-License-Identifier: ISC */
/*
 * On the way out of the kernel: takes what is deliverable and acts. Several handlers stack up, the
 * last signal taken runs first, as on Linux. Default actions: signal(7).
 */
#include <asm/siginfo.h>
#include <linux/resource.h>

#include "kernel/arch/arch_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/signal/signal_delivery.h"
#include "kernel/signal/signal_hooks.h"
#include "kernel/signal/trace_stop.h"
#include "kernel/task/table.h"
#include "kernel/task/thread.h"

#define CORE_BYTES_MIN 4096 /* Linux writes none that would be smaller */

/*
 * T: a parent in the same session but another group could continue what stops: such a group is not
 * orphaned.
 */
static int has_guardian(struct kin_proc *p, void *arg)
{
	struct kin_proc *me = arg;

	return p->pgid == me->pgid && p->state != PROC_ZOMBIE && proc_has_guardian(p);
}

static bool group_is_orphaned(void)
{
	bool orphaned;

	tree_lock();
	orphaned = !proc_foreach(has_guardian, current->proc->kp);
	tree_unlock();
	return orphaned;
}

/*
 * Would Linux write a core file? None is written here, but its bit in the wait status says why the
 * process died, and parents tell people so.
 */
static bool core_wanted(int sig)
{
	const struct proc *p = current->proc;

	return SIGBIT(sig) & SIGSET_CORE && p->kp->inherited.dumpable == 1 &&
		   p->kp->inherited.rlimit_cur[RLIMIT_CORE] >= CORE_BYTES_MIN;
}

void signal_die(int sig)
{
	proc_exit((u32)sig | (core_wanted(sig) ? WAIT_CORE : 0));
}

static void default_action(int sig)
{
	if (SIGBIT(sig) & SIGSET_DEFAULT_IGNORE)
		return;
	if (!(SIGBIT(sig) & SIGSET_STOP))
		signal_die(sig);
	if (sig == SIGSTOP || !group_is_orphaned())
		proc_stop(sig);
}

/* The handler's mask, once its frame is written. */
static void handler_begun(struct thread *t, int sig, const struct signal_action *a)
{
	sigset blocked = t->sig.blocked | a->mask;

	if (!(a->flags & SA_NODEFER))
		blocked |= SIGBIT(sig);
	t->sig.restore_mask = false;
	t->restart_fn = 0;
	signal_set_blocked(blocked);
}

static void run_handler(struct trapframe *frame, int sig, const struct ksiginfo *info)
{
	struct thread *t = current;
	struct signal_action action = t->proc->actions->action[sig - 1], none = { 0 };

	signal_restart_handler(frame, action.flags);
	if (action.flags & SA_RESETHAND) {
		none.flags = action.flags;
		none.mask = action.mask;
		signal_action_set(t->proc, sig, &none);
	}
	trace_handler_begins(frame);
	if (signal_frame_push(frame, sig, info, &action) < 0) {
		signal_force_segv(sig);
		return;
	}
	handler_begun(t, sig, &action);
	trace_handler_begun();
}

void signal_deliver(struct trapframe *frame)
{
	struct thread *t = current;
	struct ksiginfo info;
	int sig;

	signal_apply_flush(t->proc);
	while ((sig = signal_take(t, ~t->sig.blocked, &info)) != 0) {
		if (t->proc->kp->traced && !(sig = trace_signal(sig, &info)))
			continue;
		u64 handler = t->proc->actions->action[sig - 1].handler;

		if (handler == HANDLER_DEFAULT)
			default_action(sig);
		else if (handler != HANDLER_IGNORE)
			run_handler(frame, sig, &info);
	}
	signal_restart_none(frame);
	if (t->sig.restore_mask) {
		t->sig.restore_mask = false;
		signal_set_blocked(t->sig.saved_mask);
	}
}

/*
 * Thread-directed and forced: a fault that is blocked or ignored cannot be put off, so its action
 * becomes the default, which kills. What an earlier one that is still pending says is replaced.
 */
void signal_force(int sig, const struct ksiginfo *info)
{
	struct thread *t = current;
	u64 handler = t->proc->actions->action[sig - 1].handler;
	bool blocked = t->sig.blocked & SIGBIT(sig);

	if (blocked || handler == HANDLER_IGNORE) {
		struct signal_action none = { 0 };

		signal_action_set(t->proc, sig, &none);
		signal_set_blocked(t->sig.blocked & ~SIGBIT(sig));
	}
	t->sig.queue.info[sig] = *info;
	t->sig.pending |= SIGBIT(sig);
	publish(&t->proc->kp->attention, 1);
}

void signal_fault(int sig, int code, u64 addr)
{
	struct ksiginfo info = { .signo = sig, .code = code, .fault = { .addr = addr } };

	signal_force(sig, &info);
}

void signal_force_segv(int while_delivering)
{
	struct ksiginfo info = { .signo = SIGSEGV, .code = SI_KERNEL };
	struct signal_action none = { 0 };

	/* The handler of SIGSEGV itself has no room for its frame: no second try. */
	if (while_delivering == SIGSEGV)
		signal_action_set(current->proc, SIGSEGV, &none);
	signal_force(SIGSEGV, &info);
}
