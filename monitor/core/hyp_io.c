/* SPDX-License-Identifier: ISC */
/*
 * The family's standard input, output and error: the host descriptors 0, 1 and 2, and nothing
 * else. The guest's kernel waits for readiness first; should a call block nevertheless,
 * MONITOR_SIGNAL ends it.
 */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <string.h>
#include <linux/termios.h>
#include <unistd.h>

#include "monitor/core/internal.h"
#include "monitor/core/tty_ioctls.h"

const struct tty_ioctl tty_ioctls[] = {
	{TCGETS, sizeof(struct termios), TTY_OUT},
	{TCSETS, sizeof(struct termios), TTY_IN},
	{TCSETSW, sizeof(struct termios), TTY_IN},
	{TCSETSF, sizeof(struct termios), TTY_IN},
	{TCGETS2, sizeof(struct termios2), TTY_OUT},
	{TCSETS2, sizeof(struct termios2), TTY_IN},
	{TCSETSW2, sizeof(struct termios2), TTY_IN},
	{TCSETSF2, sizeof(struct termios2), TTY_IN},
	{TIOCGWINSZ, sizeof(struct winsize), TTY_OUT},
	{TIOCSWINSZ, sizeof(struct winsize), TTY_IN},
	{FIONREAD, sizeof(int), TTY_OUT},
	{TIOCOUTQ, sizeof(int), TTY_OUT},
	{TCFLSH, sizeof(int), TTY_VALUE},
	{TCSBRK, sizeof(int), TTY_VALUE},
	{TCXONC, sizeof(int), TTY_VALUE},
	{0, 0, TTY_VALUE},
};

#define TTY_BUFFER 64
_Static_assert(sizeof(struct termios2) <= TTY_BUFFER, "the largest argument fits");

static bool handle_standard(u64 handle)
{
	return handle <= STDERR_FILENO;
}

s64 hyp_io_read(struct member *m, struct hypercall_call *call)
{
	if (!handle_standard(call->arg[0]))
		return -EBADF;
	return interruptible_syscall(&m->interrupted, SYS_read, call->arg[0], call->arg[1],
								 call->arg[2], 0, 0, 0);
}

s64 hyp_io_write(struct member *m, struct hypercall_call *call)
{
	if (!handle_standard(call->arg[0]))
		return -EBADF;
	return interruptible_syscall(&m->interrupted, SYS_write, call->arg[0], call->arg[1],
								 call->arg[2], 0, 0, 0);
}

s64 hyp_io_seek(struct member *m, struct hypercall_call *call)
{
	if (!handle_standard(call->arg[0]))
		return -EBADF;
	return HOST_CALL(SYS_lseek, call->arg[0], call->arg[1], call->arg[2]);
}

static const struct tty_ioctl *tty_ioctl_find(u64 request)
{
	for (const struct tty_ioctl *t = tty_ioctls; t->size; t++)
		if (t->request == request)
			return t;
	return NULL;
}

s64 hyp_io_ioctl(struct member *m, struct hypercall_call *call)
{
	const struct tty_ioctl *t = tty_ioctl_find(call->arg[1]);
	char buffer[TTY_BUFFER] = {0};
	u64 arg = (u64)buffer;
	int value;
	s64 r;

	if (!handle_standard(call->arg[0]))
		return -EBADF;
	if (!t)
		return -ENOTTY;
	if (call->arg[3] < t->size)
		return -EINVAL;
	if (t->kind != TTY_OUT && guest_read(buffer, call->arg[2], t->size) < 0)
		return -EFAULT;
	if (t->kind == TTY_VALUE) {
		memcpy(&value, buffer, sizeof(value));
		arg = (u64)(s64)value;
	}
	/* TCSETSW, TCSBRK and writes of a stopped terminal wait. */
	r = interruptible_syscall(&m->interrupted, SYS_ioctl, call->arg[0], t->request, arg, 0, 0, 0);
	if (r >= 0 && t->kind == TTY_OUT && guest_write(call->arg[2], buffer, t->size) < 0)
		return -EFAULT;
	return r;
}
