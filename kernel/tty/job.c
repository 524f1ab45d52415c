/* SPDX-License-Identifier: ISC */
/*
 * Who may use a terminal. Sources: tty_ioctl(4), ioctl_tty(2), POSIX 11.1.4: a process of a
 * background group that reads gets SIGTTIN, one that changes settings, or writes while TOSTOP is
 * set, gets SIGTTOU; ignored or blocked, or in an orphaned group, the call fails or goes on
 * instead.
 */
#include "kernel/task/cred.h"
#include "kernel/tty/job.h"

#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/ioctls.h>
#include <asm/signal.h>

#include "kernel/task/table.h"

enum { EXCLUSIVE = 1, EXCLUSIVE_MASTER = 2 };

static struct kin_proc *self(void)
{
	return current->proc->kp;
}

/* Is it the controlling terminal of this session? */
static bool controlling(struct console *c)
{
	return c->session && c->session == self()->sid;
}

static bool in_background(struct console *c)
{
	s32 foreground = c->foreground_pgid;

	return controlling(c) && foreground && foreground != self()->pgid;
}

static bool refused(int sig)
{
	return (current->sig.blocked & SIGBIT(sig)) ||
		   current->proc->actions->action[sig - 1].handler == 1;
}

static int is_guarded(struct kin_proc *p, void *arg)
{
	return p->pgid == *(s32 *)arg && p->state != PROC_ZOMBIE && proc_has_guardian(p);
}

/*
 * Stops the caller's group, unless nobody could continue it. -ERESTARTSYS: the call starts again
 * then.
 */
static s64 stop_group(int sig)
{
	s32 pgid = self()->pgid;
	s64 err = -EIO;

	tree_lock();
	if (proc_foreach(is_guarded, &pgid)) {
		group_signal(pgid, sig, NULL);
		err = -ERESTARTSYS;
	}
	tree_unlock();
	return err;
}

s64 job_outside_read(void)
{
	return refused(SIGTTIN) ? -EIO : stop_group(SIGTTIN);
}

s64 job_outside_write(void)
{
	return refused(SIGTTOU) ? 0 : stop_group(SIGTTOU);
}

s64 job_may_read(struct console *c)
{
	if (!in_background(c))
		return 0;
	return refused(SIGTTIN) ? -EIO : stop_group(SIGTTIN);
}

s64 job_may_write(struct console *c)
{
	return !in_background(c) || refused(SIGTTOU) ? 0 : stop_group(SIGTTOU);
}

s64 job_may_change(struct console *c)
{
	return job_may_write(c);
}

s64 job_acquire(struct console *c, bool steal)
{
	s32 none = 0;

	if (self()->sid != self()->pid)
		return -EPERM;
	if (controlling(c))
		return 0;
	if (console_of_session(self()->sid))
		return -EPERM;
	if (!atomic_compare_exchange_strong(&c->session, &none, self()->sid)) {
		if (!steal)
			return -EPERM;
		c->session = self()->sid;
	}
	c->foreground_pgid = self()->pgid;
	return 0;
}

static s64 set_foreground(struct console *c, u64 arg)
{
	s32 pgid;

	s64 err = job_may_change(c);
	if (err)
		return err == -EIO ? -ENOTTY : err;
	if (!controlling(c))
		return -ENOTTY;
	if (copy_in(&pgid, (const void *)arg, sizeof(pgid)))
		return -EFAULT;
	if (pgid < 0)
		return -EINVAL;
	tree_lock();
	bool exists = group_exists(pgid, 0), ours = group_exists(pgid, self()->sid);
	tree_unlock();
	if (!exists)
		return -ESRCH;
	if (!ours)
		return -EPERM;
	c->foreground_pgid = pgid;
	return 0;
}

static s64 give_up(struct console *c)
{
	if (!controlling(c))
		return -ENOTTY;
	if (self()->sid != self()->pid)
		return 0;
	tree_lock();
	s32 foreground = c->foreground_pgid;
	c->foreground_pgid = 0;
	c->session = 0;
	if (foreground) {
		group_signal(foreground, SIGHUP, NULL);
		group_signal(foreground, SIGCONT, NULL);
	}
	tree_unlock();
	return 0;
}

static s64 put_int(u64 arg, s32 value)
{
	return copy_out((void *)arg, &value, sizeof(value)) ? -EFAULT : 0;
}

bool job_excludes(struct console *c)
{
	return atomic_load(&c->exclusive) & EXCLUSIVE && !cred_capable(CAP_SYS_ADMIN);
}

s64 job_ioctl(struct console *c, bool master, u32 cmd, u64 arg)
{
	bool may_ask = master || controlling(c);
	u32 exclusive = master ? EXCLUSIVE_MASTER : EXCLUSIVE;

	switch (cmd) {
	case TIOCGPGRP: return may_ask ? put_int(arg, c->foreground_pgid) : -ENOTTY;
	case TIOCSPGRP: return set_foreground(c, arg);
	case TIOCGSID: return may_ask && c->session ? put_int(arg, c->session) : -ENOTTY;
	case TIOCNOTTY: return master ? -ENOTTY : give_up(c);
	case TIOCSCTTY: return job_acquire(c, arg == 1 && cred_capable(CAP_SYS_ADMIN));
	case TIOCEXCL: atomic_fetch_or(&c->exclusive, exclusive); return 0;
	case TIOCNXCL: atomic_fetch_and(&c->exclusive, ~exclusive); return 0;
	case TIOCGEXCL: return put_int(arg, (atomic_load(&c->exclusive) & exclusive) != 0);
	default: return -ENOSYS;
	}
}
