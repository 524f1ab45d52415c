/* SPDX-License-Identifier: ISC */
/* Devices, and what the family was started with: standard descriptors and a terminal. */
#ifndef KERNEL_DEV_DEV_H
#define KERNEL_DEV_DEV_H

#include "kernel/vfs/inode.h"

/* ---- host_io.c */
/* The family's standard descriptors 0, 1, 2 as FILE_HOST_IO files. */
struct file *host_io_file(int handle);
s64 tty_open(struct inode *ino, struct file **out, u32 flags); /* /dev/tty, whose inode ino is */
s64 terminal_open(struct file **out, u32 flags); /* by its own name */
u64 terminal_rdev(void);                         /* of the host's terminal; 0: none */

#endif
