/* SPDX-License-Identifier: ISC */
/*
 * The family's terminal: the host's, seen through one of the standard handles. Line discipline,
 * echo and window size are the host's; who may read, write and change settings is decided here,
 * by the family's own sessions and groups.
 */
#ifndef KERNEL_TTY_HOST_TTY_H
#define KERNEL_TTY_HOST_TTY_H

#include "kernel/vfs/inode.h"

/* priv of a FILE_HOST_IO file. */
enum {
	HOST_IO_HANDLE,
	HOST_IO_MODE,
	HOST_IO_TTY,
	HOST_IO_SESSION, /* kin_member.session: in members of another one the handle is another file */
};

bool tty_is(int handle);
/* Job control, first: 0, or -EIO, or -ERESTARTSYS after SIGTTIN or SIGTTOU was sent. */
s64 tty_may_read(int handle);
s64 tty_may_write(int handle);
/*
 * A read in non-canonical mode with VMIN 0 waits this long at most: ns, HYP_NO_DEADLINE for all
 * other modes.
 */
u64 tty_read_timeout(int handle);
s64 tty_ioctl(struct file *f, u32 cmd, u64 arg);

#endif
