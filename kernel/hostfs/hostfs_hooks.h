/* SPDX-License-Identifier: ISC */
/* What inodes and handles of the host's files ask of kernel/volume above them. */
#ifndef KERNEL_HOSTFS_HOSTFS_HOOKS_H
#define KERNEL_HOSTFS_HOSTFS_HOOKS_H

#include "kernel/vfs/inode.h"

/*
 * kernel/volume/volume_names.c: the host's path of dir's entry name (len 0: of dir itself) below
 * its volume; valid until the next call, alternately in two buffers. NULL: too long.
 */
const char *volume_path(struct inode *dir, const char *name, u32 len);

#endif
