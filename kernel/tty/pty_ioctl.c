/* SPDX-License-Identifier: ISC */
/* ioctl on pseudo-terminals. Source: ioctl_tty(2). The master's settings are its slave's. */
#include <asm/errno.h>
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/tty.h>

#include "kernel/lib/lib.h"
#include "kernel/task/cred.h"
#include "kernel/tty/pty.h"

static s64 put(u64 arg, const void *value, size_t size)
{
	return copy_out((void *)arg, value, size) ? -EFAULT : 0;
}

static s64 put_int(u64 arg, s32 value)
{
	return put(arg, &value, sizeof(value));
}

static s64 get_int(u64 arg, s32 *value)
{
	return copy_in(value, (const void *)arg, sizeof(*value)) ? -EFAULT : 0;
}

static void wake(struct pty *p)
{
	queue_wake_for(&p->slave_events, WAKE_NO_OWNER);
	queue_wake_for(&p->master_events, WAKE_NO_OWNER);
}

/* Under p->lock: something that a master in packet mode is told. */
static void packet_event(struct pty *p, u8 set, u8 clear)
{
	if (p->packet)
		p->packet_events = (u8)((p->packet_events & ~clear) | set);
}

/* ---- settings */

static s64 settings_get(struct pty *p, u64 arg, size_t size)
{
	pty_lock(p);
	struct termios2 t = p->settings;
	kin_unlock(&p->lock);
	return put(arg, &t, size);
}

static bool flow_keys(const struct termios2 *t)
{
	return (t->c_iflag & IXON) && t->c_cc[VSTOP] == 023 && t->c_cc[VSTART] == 021;
}

static s64 locked_get(struct pty *p, u64 arg)
{
	pty_lock(p);
	struct termios2 t = p->locked;
	kin_unlock(&p->lock);
	return put(arg, &t, sizeof(struct termios));
}

static s64 locked_set(struct pty *p, u64 arg)
{
	struct termios2 t = {0};

	if (!cred_capable(CAP_SYS_ADMIN) && !cred_capable(CAP_CHECKPOINT_RESTORE))
		return -EPERM;
	if (copy_in(&t, (const void *)arg, sizeof(struct termios)))
		return -EFAULT;
	pty_lock(p);
	p->locked = t;
	kin_unlock(&p->lock);
	return 0;
}

/* size: of struct termios, whose members struct termios2 begins with, or of the latter. */
static s64 settings_set(struct pty *p, u64 arg, size_t size, bool flush)
{
	struct termios2 t;
	s64 err = job_may_change(&p->job);

	if (err)
		return err;
	pty_lock(p);
	t = p->settings;
	kin_unlock(&p->lock);
	if (copy_in(&t, (const void *)arg, size))
		return -EFAULT;
	pty_lock(p);
	bool before = flow_keys(&p->settings);
	if (flush)
		ldisc_flush_input(p);
	termios_keep(&t, &p->settings, &p->locked);
	ldisc_set(p, &t);
	if (before != flow_keys(&t))
		packet_event(p, before ? TIOCPKT_NOSTOP : TIOCPKT_DOSTOP,
					 before ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP);
	kin_unlock(&p->lock);
	wake(p);
	return 0;
}

static s64 settings_ioctl(struct pty *p, u32 cmd, u64 arg)
{
	switch (cmd) {
	case TCGETS: return settings_get(p, arg, sizeof(struct termios));
	case TCGETS2: return settings_get(p, arg, sizeof(struct termios2));
	case TCSETS:
	case TCSETSW: return settings_set(p, arg, sizeof(struct termios), false);
	case TCSETSF: return settings_set(p, arg, sizeof(struct termios), true);
	case TIOCGLCKTRMIOS: return locked_get(p, arg);
	case TIOCSLCKTRMIOS: return locked_set(p, arg);
	case TCSETS2:
	case TCSETSW2: return settings_set(p, arg, sizeof(struct termios2), false);
	case TCSETSF2: return settings_set(p, arg, sizeof(struct termios2), true);
	default: return -ENOSYS;
	}
}

/* ---- queues and flow */

static s64 flush(struct file *f, u64 what)
{
	struct pty *p = pty_of(f);
	bool master = pty_is_master(f);
	s64 err = master ? 0 : job_may_change(&p->job);

	if (err || what > TCIOFLUSH)
		return err ? err : -EINVAL;
	pty_lock(p);
	/* What a side has written has arrived already: only what it has not read can go. */
	if (what != TCOFLUSH && master)
		p->out_tail = (u64)p->out_head;
	else if (what != TCOFLUSH)
		ldisc_flush_input(p);
	if (!master)
		packet_event(p, (u8)((what != TCOFLUSH ? TIOCPKT_FLUSHREAD : 0) |
							 (what != TCIFLUSH ? TIOCPKT_FLUSHWRITE : 0)), 0);
	kin_unlock(&p->lock);
	wake(p);
	return 0;
}

static s64 flow(struct file *f, u64 what)
{
	struct pty *p = pty_of(f);
	s64 err = pty_is_master(f) ? 0 : job_may_change(&p->job);
	char key;

	if (err || what > TCION || pty_is_master(f))
		return err || what <= TCION ? err : -EINVAL;
	pty_lock(p);
	if (what == TCOOFF || what == TCOON) {
		p->stopped = what == TCOOFF;
		packet_event(p, p->stopped ? TIOCPKT_STOP : TIOCPKT_START,
					 p->stopped ? TIOCPKT_START : TIOCPKT_STOP);
	} else {
		key = (char)p->settings.c_cc[what == TCIOFF ? VSTOP : VSTART];
		if (key && output_room(p)) {
			p->output[p->out_head % PTY_RING] = key;
			p->out_head++;
		}
	}
	kin_unlock(&p->lock);
	wake(p);
	return 0;
}

static s64 set_window(struct pty *p, u64 arg)
{
	struct winsize w;
	s32 foreground = p->job.foreground_pgid;

	if (copy_in(&w, (const void *)arg, sizeof(w)))
		return -EFAULT;
	pty_lock(p);
	bool changed = memcmp(&w, &p->window, sizeof(w));
	p->window = w;
	kin_unlock(&p->lock);
	if (changed && foreground) {
		tree_lock();
		group_signal(foreground, SIGWINCH, NULL);
		tree_unlock();
	}
	return 0;
}

static s64 unread(struct file *f, u64 arg)
{
	struct pty *p = pty_of(f);

	pty_lock(p);
	u64 n = pty_is_master(f) ? p->out_head - p->out_tail : ldisc_readable(p);
	kin_unlock(&p->lock);
	return put_int(arg, (s32)n);
}

static s64 common_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct pty *p = pty_of(f);

	switch (cmd) {
	case TIOCGWINSZ: return put(arg, &p->window, sizeof(p->window));
	case TIOCSWINSZ: return set_window(p, arg);
	case FIONREAD: return unread(f, arg);
	case TIOCOUTQ: return put_int(arg, 0); /* written is arrived */
	case TCFLSH: return flush(f, arg);
	case TCXONC: return flow(f, arg);
	case TCSBRK:
	case TCSBRKP: return pty_is_master(f) ? 0 : job_may_change(&p->job);
	case TIOCSBRK:
	case TIOCCBRK: return 0;
	case TIOCGETD: return put_int(arg, N_TTY);
	case TIOCGDEV:
		return put_int(arg, (s32)(pty_is_master(f) ? f->inode->rdev : pty_rdev(p->index)));
	default: return -ENOTTY;
	}
}

/* ---- the master's own */

static s64 open_peer(struct pty *p, u64 flags)
{
	struct file *f;
	s64 err = pty_peer_open(p, (u32)flags & (O_ACCMODE | O_NOCTTY | O_NONBLOCK), &f);

	return err ? err : fd_install(f, 0, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
}

static s64 set_packet(struct pty *p, s32 on)
{
	pty_lock(p);
	if (on && !p->packet)
		p->packet_events = 0;
	p->packet = on != 0;
	kin_unlock(&p->lock);
	return 0;
}

static s64 master_ioctl(struct pty *p, u32 cmd, u64 arg)
{
	s32 value = 0;
	s64 err;

	switch (cmd) {
	case TIOCGPTN: return put_int(arg, (s32)p->index);
	case TIOCGPTLCK: return put_int(arg, (s32)p->slave_locked);
	case TIOCGPKT: return put_int(arg, p->packet);
	case TIOCGPTPEER: return open_peer(p, arg);
	case TIOCSPTLCK:
		err = get_int(arg, &value);
		if (!err)
			p->slave_locked = value != 0;
		return err;
	case TIOCPKT:
		err = get_int(arg, &value);
		return err ? err : set_packet(p, value);
	default: return -ENOSYS;
	}
}

s64 pty_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct pty *p = pty_of(f);
	bool master = pty_is_master(f);
	s64 r;

	if (!master && p->hung_up)
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	r = master ? master_ioctl(p, cmd, arg) : -ENOSYS;
	if (r == -ENOSYS)
		r = job_ioctl(&p->job, master, cmd, arg);
	if (r == -ENOSYS)
		r = settings_ioctl(p, cmd, arg);
	return r == -ENOSYS ? common_ioctl(f, cmd, arg) : r;
}
