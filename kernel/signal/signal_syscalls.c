/* SPDX-License-Identifier: ISC */
/* System calls about the caller's own signals: actions, mask, waiting, alternate stack. */
#include <asm/errno.h>
#include <linux/signal.h>
#include <linux/time.h>

#include "kernel/lib/lib.h"
#include "kernel/signal/signal_delivery.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"

/* What Linux keeps of sa_flags; programs probe for flags by setting them and looking. */
#define ACTION_FLAGS                                                                               \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER |             \
	 SA_RESETHAND | 0x00000800 /* SA_EXPOSE_TAGBITS */ | SA_RESTORER)

/* sigset_t of the system-call interface; the size argument says so. */
static int sigset_in(sigset *set, u64 user, u64 size)
{
	if (size != sizeof(*set))
		return -EINVAL;
	return copy_in(set, (void *)user, sizeof(*set));
}

s64 sys_rt_sigaction(u64 sig, u64 uact, u64 uold, u64 size)
{
	struct signal_action action, old;
	struct { u64 handler, flags, restorer, mask; } user;
	struct proc *p = current->proc;

	if (size != sizeof(sigset))
		return -EINVAL;
	if (uact && copy_in(&user, (void *)uact, sizeof(user)))
		return -EFAULT;
	if (sig - 1 >= NSIG || (uact && (SIGBIT(sig) & SIGSET_NEVER_BLOCKED)))
		return -EINVAL;
	old = p->actions->action[sig - 1];
	if (uact) {
		action = (struct signal_action){ user.handler, user.flags & ACTION_FLAGS, user.restorer,
			user.mask & ~SIGSET_NEVER_BLOCKED };
		signal_action_set(p, (int)sig, &action);
	}
	if (!uold)
		return 0;
	user.handler = old.handler;
	user.flags = old.flags;
	user.restorer = old.restorer;
	user.mask = old.mask;
	return copy_out((void *)uold, &user, sizeof(user));
}

s64 sys_rt_sigprocmask(u64 how, u64 uset, u64 uold, u64 size)
{
	sigset set, old = current->sig.blocked;

	if (size != sizeof(sigset))
		return -EINVAL;
	if (uset) {
		if (copy_in(&set, (void *)uset, sizeof(set)))
			return -EFAULT;
		switch ((int)how) {
		case SIG_BLOCK: set |= old; break;
		case SIG_UNBLOCK: set = old & ~set; break;
		case SIG_SETMASK: break;
		default: return -EINVAL;
		}
		signal_set_blocked(set);
	}
	return uold ? copy_out((void *)uold, &old, sizeof(old)) : 0;
}

s64 sys_rt_sigpending(u64 uset, u64 size)
{
	sigset set = signal_pending_set(current) & current->sig.blocked;

	if (size > sizeof(set))
		return -EINVAL;
	return copy_out((void *)uset, &set, size);
}

/* Until a handler is to run or the process to end. */
static s64 wait_for_signal(void)
{
	wait_until(NULL, NULL, NULL, HYP_NO_DEADLINE, SLEEP_INTERRUPTIBLE);
	return -ERESTARTNOHAND;
}

s64 sys_pause(void)
{
	return wait_for_signal();
}

s64 sys_rt_sigsuspend(u64 uset, u64 size)
{
	sigset set;
	int err = sigset_in(&set, uset, size);

	if (err)
		return err;
	signal_mask_swap(set);
	wait_for_signal();
	signal_mask_done(true);
	return -ERESTARTNOHAND;
}

static bool waited_pending(void *arg)
{
	struct thread *t = arg;

	return signal_pending_set(t) & t->sig.waited;
}

/* Sleeps until one of set is pending (it may be blocked) or another signal is to be delivered. */
static int sleep_for(struct thread *t, sigset set, u64 deadline_ns)
{
	int err;

	t->sig.waited = set;
	signals_mirror(t->proc);
	err = wait_until(NULL, waited_pending, t, deadline_ns, SLEEP_INTERRUPTIBLE);
	t->sig.waited = 0;
	signals_mirror(t->proc);
	return err;
}

s64 sys_rt_sigtimedwait(u64 uset, u64 uinfo, u64 utimeout, u64 size)
{
	struct { struct ksiginfo info; u8 rest[128 - sizeof(struct ksiginfo)]; } out = { 0 };
	struct thread *t = current;
	u64 deadline = HYP_NO_DEADLINE;
	sigset set;
	int sig, err = sigset_in(&set, uset, size);

	if (!err && utimeout)
		err = time_timeout_in(utimeout, &deadline);
	if (err)
		return err;
	set &= ~SIGSET_NEVER_BLOCKED;
	sig = signal_take(t, set, &out.info);
	if (!sig && deadline) {
		err = sleep_for(t, set, deadline);
		sig = signal_take(t, set, &out.info);
	}
	if (!sig)
		return err == -EINTR ? -EINTR : -EAGAIN;
	if (uinfo && copy_out((void *)uinfo, &out, sizeof(out)))
		return -EFAULT;
	return sig;
}

s64 sys_sigaltstack(u64 unew, u64 uold)
{
	struct thread *t = current;
	u64 sp = frame_sp(thread_frame(t));
	stack_t new_stack, old = {
		.ss_sp = (void *)t->sig.alt_sp,
		.ss_flags = (int)(signal_altstack_flags(t, sp) | (t->sig.alt_flags & SS_AUTODISARM)),
		.ss_size = t->sig.alt_size,
	};

	if (unew) {
		int err = copy_in(&new_stack, (void *)unew, sizeof(new_stack));

		if (!err)
			err = signal_altstack_set(t, sp, &new_stack);
		if (err)
			return err;
	}
	return uold ? copy_out((void *)uold, &old, sizeof(old)) : 0;
}

s64 sys_restart_syscall(void)
{
	struct thread *t = current;
	s64 (*fn)(void) = (s64 (*)(void))t->restart_fn;

	t->restart_fn = 0;
	return fn ? fn() : -EINTR;
}
