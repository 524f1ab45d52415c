/* SPDX-License-Identifier: ISC */
/*
 * Terminal rules. Sources: tty_ioctl(4), ioctl_tty(2), POSIX 11.1.4: a process of a background
 * group that reads gets SIGTTIN, one that changes settings, or writes while TOSTOP is set, gets
 * SIGTTOU; ignored or blocked, or in an orphaned group, the call fails or goes on instead.
 *
 * The console record in kin is atomics; tree_lock is taken to look at groups.
 */
#include "kernel/fs/tty.h"

#include <asm/errno.h>
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <asm/termbits.h>
#include <linux/termios.h>

#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/proc/proc.h"
#include "kernel/time/time.h"

bool tty_is(int handle)
{
	struct termios t;

	return host_io_ioctl(handle, TCGETS, &t, sizeof(t)) == 0;
}

static struct kin_proc *self(void)
{
	return current->proc->kp;
}

/* Is it the controlling terminal of this session? */
static bool controlling(void)
{
	struct console *c = console_get();

	return c->session && c->session == self()->sid;
}

static bool in_background(void)
{
	s32 foreground = console_get()->foreground_pgid;

	return controlling() && foreground && foreground != self()->pgid;
}

static bool refused(int sig)
{
	return (current->sig.blocked & SIGBIT(sig)) ||
		   current->proc->actions->action[sig - 1].handler == 1;
}

struct guardian {
	s32 pgid, sid;
};

static int is_guarded(struct kin_proc *p, void *arg)
{
	struct guardian *g = arg;

	return p->pgid == g->pgid && p->parent && p->parent->pgid != g->pgid &&
		   p->parent->sid == g->sid;
}

/*
 * Stops the caller's group, unless nobody could continue it. -ERESTARTSYS: the call starts again
 * then.
 */
static s64 stop_group(int sig)
{
	struct guardian g = {self()->pgid, self()->sid};
	s64 err = -EIO;

	tree_lock();
	if (proc_foreach(is_guarded, &g)) {
		group_signal(g.pgid, sig, NULL);
		err = -ERESTARTSYS;
	}
	tree_unlock();
	return err;
}

s64 tty_may_read(void)
{
	if (!in_background())
		return 0;
	return refused(SIGTTIN) ? -EIO : stop_group(SIGTTIN);
}

/* Settings are guarded always, output only under TOSTOP. */
static s64 may_change(void)
{
	return !in_background() || refused(SIGTTOU) ? 0 : stop_group(SIGTTOU);
}

s64 tty_may_write(int handle)
{
	struct termios t;

	if (!in_background() || refused(SIGTTOU))
		return 0;
	if (host_io_ioctl(handle, TCGETS, &t, sizeof(t)) || !(t.c_lflag & TOSTOP))
		return 0;
	return stop_group(SIGTTOU);
}

u64 tty_read_timeout(int handle)
{
	struct termios t;

	if (host_io_ioctl(handle, TCGETS, &t, sizeof(t)) || (t.c_lflag & ICANON) || t.c_cc[VMIN])
		return HYP_NO_DEADLINE;
	return (u64)t.c_cc[VTIME] * (NSEC_PER_SEC / 10);
}

void tty_acquire(void)
{
	struct console *c = console_get();
	s32 none = 0;

	if (self()->sid == self()->pid &&
		atomic_compare_exchange_strong(&c->session, &none, self()->sid))
		c->foreground_pgid = self()->pgid;
}

static s64 set_foreground(u64 arg)
{
	s32 pgid;

	if (!controlling())
		return -ENOTTY;
	s64 err = may_change();
	if (err)
		return err;
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
	console_get()->foreground_pgid = pgid;
	return 0;
}

static s64 give_up(void)
{
	struct console *c = console_get();

	if (!controlling())
		return -ENOTTY;
	if (self()->sid != self()->pid)
		return 0;
	tree_lock();
	group_signal(c->foreground_pgid, SIGHUP, NULL);
	group_signal(c->foreground_pgid, SIGCONT, NULL);
	tree_unlock();
	c->foreground_pgid = 0;
	c->session = 0;
	return 0;
}

static s64 put_int(u64 arg, s32 value)
{
	return copy_out((void *)arg, &value, sizeof(value)) ? -EFAULT : 0;
}

static s64 job_ioctl(u32 cmd, u64 arg)
{
	switch (cmd) {
	case TIOCGPGRP: return controlling() ? put_int(arg, console_get()->foreground_pgid) : -ENOTTY;
	case TIOCSPGRP: return set_foreground(arg);
	case TIOCGSID: return controlling() ? put_int(arg, console_get()->session) : -ENOTTY;
	case TIOCNOTTY: return give_up();
	case TIOCSCTTY:
		if (controlling())
			return 0;
		tty_acquire();
		return controlling() ? 0 : -EPERM;
	default: return -ENOSYS;
	}
}

/* Requests that the host answers: which way the argument goes, and its size. */
static const struct {
	u32 cmd;
	u8 size;
	bool in, value;
} requests[] = {
	{TCGETS, sizeof(struct termios), false, false},
	{TCSETS, sizeof(struct termios), true, false},
	{TCSETSW, sizeof(struct termios), true, false},
	{TCSETSF, sizeof(struct termios), true, false},
	{TCGETS2, sizeof(struct termios2), false, false},
	{TCSETS2, sizeof(struct termios2), true, false},
	{TCSETSW2, sizeof(struct termios2), true, false},
	{TCSETSF2, sizeof(struct termios2), true, false},
	{TIOCGWINSZ, sizeof(struct winsize), false, false},
	{TIOCSWINSZ, sizeof(struct winsize), true, false},
	{FIONREAD, sizeof(int), false, false},
	{TIOCOUTQ, sizeof(int), false, false},
	{TCFLSH, sizeof(int), true, true},
	{TCSBRK, sizeof(int), true, true},
	{TCXONC, sizeof(int), true, true},
};

s64 tty_ioctl(struct file *f, u32 cmd, u64 arg)
{
	int handle = (int)f->priv[HOST_IO_HANDLE];
	char buf[64] = {0};
	s32 value = (s32)arg;

	if (f->priv[HOST_IO_TTY]) {
		s64 err = job_ioctl(cmd, arg);
		if (err != -ENOSYS)
			return err;
	}
	for (u32 i = 0; i < ARRAY_SIZE(requests); i++) {
		if (requests[i].cmd != cmd)
			continue;
		if (requests[i].in && f->priv[HOST_IO_TTY]) {
			s64 err = may_change();
			if (err)
				return err;
		}
		if (requests[i].value)
			memcpy(buf, &value, sizeof(value));
		else if (requests[i].in && copy_in(buf, (const void *)arg, requests[i].size))
			return -EFAULT;
		s64 n = host_io_ioctl(handle, cmd, buf, requests[i].size);
		if (n == -EINTR)
			return -ERESTARTSYS;
		if (n >= 0 && !requests[i].in && copy_out((void *)arg, buf, requests[i].size))
			return -EFAULT;
		return n;
	}
	return -ENOTTY;
}
