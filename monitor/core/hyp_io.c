/* SPDX-License-Identifier: ISC */
/*
 * The family's standard input, output and error: the host descriptors 0, 1 and 2, and nothing
 * else.
 *
 * As on Linux an interrupt ends a wait, and never a call that need not wait: a program that gets
 * signals faster than it can make calls must not stand still. So a call for which an interrupt is
 * waiting already is not given up before the descriptor was looked at.
 */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <linux/termios.h>
#include <time.h>
#include <unistd.h>

#include "monitor/core/host_constants.h"
#include "monitor/core/core_internal.h"
#include "monitor/core/tty_ioctls.h"

const struct tty_ioctl tty_ioctls[] = {
	{TCGETS, sizeof(struct termios), TTY_OUT, false},
	{TCSETS, sizeof(struct termios), TTY_IN, false},
	{TCSETSW, sizeof(struct termios), TTY_IN, true},
	{TCSETSF, sizeof(struct termios), TTY_IN, true},
	{TCGETS2, sizeof(struct termios2), TTY_OUT, false},
	{TCSETS2, sizeof(struct termios2), TTY_IN, false},
	{TCSETSW2, sizeof(struct termios2), TTY_IN, true},
	{TCSETSF2, sizeof(struct termios2), TTY_IN, true},
	{TIOCGWINSZ, sizeof(struct winsize), TTY_OUT, false},
	{TIOCSWINSZ, sizeof(struct winsize), TTY_IN, false},
	{FIONREAD, sizeof(int), TTY_OUT, false},
	{TIOCOUTQ, sizeof(int), TTY_OUT, false},
	{TCFLSH, sizeof(int), TTY_VALUE, false},
	{TCSBRK, sizeof(int), TTY_VALUE, true},
	{TCXONC, sizeof(int), TTY_VALUE, true},
	{0, 0, TTY_VALUE, false},
};

#define TTY_BUFFER 64
#define GUARD_NS 10000000ull
_Static_assert(sizeof(struct termios2) <= TTY_BUFFER, "the largest argument fits");

static bool handle_standard(u64 handle)
{
	return handle <= STDERR_FILENO;
}

/*
 * Has an interrupt come that the guest's kernel has not looked into? It may have been noted before
 * this hypercall.
 */
static bool interrupt_waits(const struct member *m)
{
	u32 noted = 0;

	if (guest_read(&noted, PERCPU_ADDR + PERCPU_IRQ_PENDING, sizeof(noted)) < 0)
		return true;
	return noted || m->interrupted;
}

static s64 call_waiting(struct member *m, long nr, u64 fd, u64 a, u64 b)
{
	return interruptible_syscall(&m->interrupted, nr, fd, a, b, 0, 0, 0);
}

/*
 * A call that need not wait, as was seen. Should it wait nevertheless, because another process was
 * faster, the timer comes instead of the interrupt that is put aside here.
 */
static s64 call_ready(struct member *m, long nr, u64 fd, u64 a, u64 b)
{
	timer_bound(m, host_clock_ns(CLOCK_MONOTONIC) + GUARD_NS);
	m->interrupted = 0;
	return call_waiting(m, nr, fd, a, b);
}

static bool fd_ready(u64 fd, short events)
{
	struct pollfd p = {.fd = (int)fd, .events = events};
	struct timespec now = {0};

	return HOST_CALL(SYS_ppoll, &p, 1, &now, NULL, 0) > 0;
}

static bool fd_is_regular(u64 fd)
{
	struct statx stx;

	return HOST_CALL(SYS_statx, fd, &host_no_path, AT_EMPTY_PATH, STATX_TYPE, &stx) == 0 &&
		   S_ISREG(stx.stx_mode);
}

static s64 transfer(struct member *m, long nr, struct hypercall_call *call, short events)
{
	u64 fd = call->arg[0], len = call->arg[2], wait = call->arg[3];
	s64 r = -EINTR;

	if (!handle_standard(fd))
		return -EBADF;
	if (wait != HYP_IO_WAIT && wait != HYP_IO_NOWAIT)
		return -EINVAL;
	/* Nothing to wait for: the terminal says whether it may be read. */
	if (!len)
		return call_ready(m, nr, fd, call->arg[1], 0);
	if (wait == HYP_IO_WAIT && !interrupt_waits(m))
		r = call_waiting(m, nr, fd, call->arg[1], len);
	/* What is ready for writing takes so much at least, a file anything. */
	if (r == -EINTR && nr == SYS_write && len > HYP_IO_READY && !fd_is_regular(fd))
		len = HYP_IO_READY;
	while (r == -EINTR && fd_ready(fd, events))
		r = call_ready(m, nr, fd, call->arg[1], len);
	return r == -EINTR && wait == HYP_IO_NOWAIT ? -EAGAIN : r;
}

s64 hyp_io_read(struct member *m, struct hypercall_call *call)
{
	return transfer(m, SYS_read, call, POLLIN);
}

s64 hyp_io_write(struct member *m, struct hypercall_call *call)
{
	return transfer(m, SYS_write, call, POLLOUT);
}

s64 hyp_io_seek(struct member *m, struct hypercall_call *call)
{
	if (!handle_standard(call->arg[0]))
		return -EBADF;
	if (call->arg[2] > SEEK_HOLE)
		return -EINVAL;
	return HOST_CALL(SYS_lseek, call->arg[0], call->arg[1], call->arg[2]);
}

static const struct tty_ioctl *tty_ioctl_find(u64 request)
{
	for (const struct tty_ioctl *t = tty_ioctls; t->size; t++)
		if (t->request == request)
			return t;
	return NULL;
}

static bool output_left(u64 fd)
{
	int bytes = 0;

	return HOST_CALL(SYS_ioctl, fd, TIOCOUTQ, &bytes) == 0 && bytes > 0;
}

/* These wait until the terminal has put out what it holds. */
static s64 ioctl_waiting(struct member *m, u64 fd, u64 request, u64 arg)
{
	s64 r = interrupt_waits(m) ? -EINTR : call_waiting(m, SYS_ioctl, fd, request, arg);

	while (r == -EINTR && !output_left(fd))
		r = call_ready(m, SYS_ioctl, fd, request, arg);
	return r;
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
	r = t->waits ? ioctl_waiting(m, call->arg[0], t->request, arg)
				 : HOST_CALL(SYS_ioctl, call->arg[0], t->request, arg);
	if (r >= 0 && t->kind == TTY_OUT && guest_write(call->arg[2], buffer, t->size) < 0)
		return -EFAULT;
	return r;
}
