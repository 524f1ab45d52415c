/* SPDX-License-Identifier: ISC */
/* What event descriptors ask of rooms above them. */
#ifndef KERNEL_EVENT_EVENT_HOOKS_H
#define KERNEL_EVENT_EVENT_HOOKS_H

#include "common/types.h"

struct file;
struct inode;

/* kernel/procfs/procfs.c: of the process whose directory in /proc this is; else 0. */
s32 proc_dir_pid(const struct inode *ino);
/* The same: may this file be in an interest list of epoll? */
bool proc_waitable(const struct inode *ino);

/* kernel/dev/dev.c: may a FILE_DEV be in an interest list of epoll? */
bool dev_waitable(const struct file *f);

#endif
