/* SPDX-License-Identifier: ISC */
/* Leases of files: fcntl(2). lease_fcntl, lease_release: kernel/fd/fd_hooks.h. */
#ifndef KERNEL_VFS_LEASE_H
#define KERNEL_VFS_LEASE_H

#include "kernel/vfs/inode.h"

#define LEASE_BREAK_S 45u /* /proc/sys/fs/lease-break-time */

/*
 * Before ino is opened with these flags: waits until no lease is in the way. 0, -EAGAIN if that
 * takes time and O_NONBLOCK is among them, -ERESTARTSYS. Without a lease in the family a load.
 */
s64 lease_break(const struct inode *ino, u32 flags);

#endif
