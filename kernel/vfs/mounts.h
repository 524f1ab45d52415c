/* SPDX-License-Identifier: ISC */
/* What programs are told of the family's file systems as mounts. */
#ifndef KERNEL_VFS_MOUNTS_H
#define KERNEL_VFS_MOUNTS_H

#include "kernel/vfs/inode.h"

u64 inode_shown_device(const struct inode *ino); /* st_dev; inode.c */
u32 mount_id(const struct inode *ino);
u32 mount_flags(enum inode_fs fs, u32 volume); /* f_flags of statfs; volume 0: none */

#endif
