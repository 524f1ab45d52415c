/* SPDX-License-Identifier: ISC */
/*
 * The host's terminal: settings are asked of the host, who may do what is decided by
 * kernel/tty/job.c.
 */
#include "kernel/task/thread.h"
#include "kernel/tty/host_tty.h"

#include <asm/errno.h>
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/termios.h>

#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/time/time.h"
#include "kernel/tty/job.h"
#include "kernel/tty/pty.h"

#define TOSTOP_AGE_NS 50000000ull
#define DRAIN_LOOK_NS 1000000ull

bool tty_is(int handle)
{
	struct termios t;

	return host_io_ioctl(handle, TCGETS, &t, sizeof(t)) == 0;
}

/*
 * Is the family a job of a shell outside and not in the foreground there? Monitors ignore SIGTTIN,
 * so that the host answers EIO to such a read, of no bytes as well. What has hung up does not even
 * have settings.
 */
static bool outside_background(int handle)
{
	char none;

	return KIN->job && host_io_read(handle, &none, 0, HYP_IO_NOWAIT) == -EIO && tty_is(handle);
}

s64 tty_may_read(int handle)
{
	s64 err = job_may_read(console_get());

	return !err && outside_background(handle) ? job_outside_read() : err;
}

/* Asked rarely: every line that goes to a terminal would cost two exits. */
static bool tostop_outside(int handle)
{
	static u64 asked_ns;
	static bool tostop;
	struct termios t;

	if (time_mono_ns() - asked_ns >= TOSTOP_AGE_NS) {
		asked_ns = time_mono_ns();
		tostop = host_io_ioctl(handle, TCGETS, &t, sizeof(t)) == 0 && t.c_lflag & TOSTOP;
	}
	return tostop;
}

s64 tty_may_write(int handle)
{
	struct termios t;

	if (KIN->job && tostop_outside(handle) && outside_background(handle)) {
		s64 err = job_outside_write();
		if (err)
			return err;
	}
	if (console_get()->foreground_pgid == current->proc->kp->pgid)
		return 0;
	if (host_io_ioctl(handle, TCGETS, &t, sizeof(t)) || !(t.c_lflag & TOSTOP))
		return 0;
	return job_may_write(console_get());
}

u64 tty_read_timeout(int handle)
{
	struct termios t;

	if (host_io_ioctl(handle, TCGETS, &t, sizeof(t)) || (t.c_lflag & ICANON) || t.c_cc[VMIN])
		return HYP_NO_DEADLINE;
	return (u64)t.c_cc[VTIME] * (NSEC_PER_SEC / 10);
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

/* ---- TIOCSLCKTRMIOS: kept by the family, whose root may, but is nobody to the host */

static struct termios2 locked_load(void)
{
	struct termios2 t = {0};
	u64 words[ARRAY_SIZE(console_get()->locked)];

	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = atomic_load(&console_get()->locked[i]);
	memcpy(&t, words, sizeof(struct termios));
	return t;
}

static s64 locked_ioctl(int handle, u32 cmd, u64 arg)
{
	u64 words[ARRAY_SIZE(console_get()->locked)] = {0};

	_Static_assert(sizeof(words) >= sizeof(struct termios), "a console keeps all that is locked");
	if (!tty_is(handle))
		return -ENOTTY;
	if (cmd == TIOCGLCKTRMIOS) {
		struct termios2 t = locked_load();
		return copy_out((void *)arg, &t, sizeof(struct termios)) ? -EFAULT : 0;
	}
	if (!cred_capable(CAP_SYS_ADMIN) && !cred_capable(CAP_CHECKPOINT_RESTORE))
		return -EPERM;
	if (copy_in(words, (const void *)arg, sizeof(struct termios)))
		return -EFAULT;
	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		atomic_store(&console_get()->locked[i], words[i]);
	return 0;
}

/* Settings on their way to the host: what is locked is asked of it, and sent as it is. */
static void settings_keep(int handle, void *settings, size_t size)
{
	struct termios2 lock = locked_load(), none = {0}, old, t = {0};

	if (!memcmp(&lock, &none, sizeof(lock)) ||
		host_io_ioctl(handle, TCGETS2, &old, sizeof(old)))
		return;
	memcpy(&t, settings, size);
	termios_keep(&t, &old, &lock);
	memcpy(settings, &t, size);
}

static bool sets_termios(u32 cmd)
{
	return (cmd >= TCSETS && cmd <= TCSETSF) || cmd == TCSETS2 || cmd == TCSETSW2 ||
		   cmd == TCSETSF2;
}

s64 tty_ioctl(struct file *f, u32 cmd, u64 arg)
{
	int handle = (int)f->priv[HOST_IO_HANDLE];
	char buf[64] = {0};
	s32 value = (s32)arg;

	if (f->priv[HOST_IO_TTY]) {
		s64 err = job_ioctl(console_get(), false, cmd, arg);
		if (err != -ENOSYS)
			return err;
	}
	if (cmd == TIOCGLCKTRMIOS || cmd == TIOCSLCKTRMIOS)
		return locked_ioctl(handle, cmd, arg);
	for (u32 i = 0; i < ARRAY_SIZE(requests); i++) {
		if (requests[i].cmd != cmd)
			continue;
		if (requests[i].in && f->priv[HOST_IO_TTY]) {
			s64 err = job_may_change(console_get());
			if (!err && outside_background(handle))
				err = job_outside_write();
			if (err)
				return err;
		}
		if (requests[i].value)
			memcpy(buf, &value, sizeof(value));
		else if (requests[i].in && copy_in(buf, (const void *)arg, requests[i].size))
			return -EFAULT;
		if (sets_termios(cmd))
			settings_keep(handle, buf, requests[i].size);
		s64 n = host_io_ioctl(handle, cmd, buf, requests[i].size);
		/* Output is left: the other threads run for a while. */
		while (n == -EINTR) {
			u64 until = time_mono_ns() + DRAIN_LOOK_NS;
			s64 err = wait_until(NULL, NULL, NULL, until, WAIT_RESTARTABLE);
			if (err != -ETIMEDOUT)
				return err;
			n = host_io_ioctl(handle, cmd, buf, requests[i].size);
		}
		if (n >= 0 && !requests[i].in && copy_out((void *)arg, buf, requests[i].size))
			return -EFAULT;
		return n;
	}
	return -ENOTTY;
}
