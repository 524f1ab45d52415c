/* SPDX-License-Identifier: ISC */
/* What names and inodes ask of the rooms above them. */
#ifndef KERNEL_VFS_VFS_HOOKS_H
#define KERNEL_VFS_VFS_HOOKS_H

#include "kernel/vfs/inode.h"

/* kernel/pipe/pipe_file.c. Named FIFO: the pipe of an inode, opened with Linux's blocking rules. */
s64 fifo_open(struct inode *ino, u32 flags, struct file **out);

#endif
