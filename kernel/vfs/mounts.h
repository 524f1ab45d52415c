/* SPDX-License-Identifier: ISC */
/* What programs are told of the family's file systems as mounts. */
#ifndef KERNEL_VFS_MOUNTS_H
#define KERNEL_VFS_MOUNTS_H

#include "kernel/vfs/inode.h"

struct text;
struct proc_target;

u64 tmpfs_device(u32 number);                    /* of one of --tmpfs, from 1; inode.c */
u64 inode_shown_device(const struct inode *ino); /* st_dev; inode.c */
/* As Linux prints it in hexadecimal: the major number above 20 bits of the minor one. */
static inline u32 device_number(u64 st_dev)
{
	return (u32)((st_dev >> 8 & 0xfff) << 20 | (st_dev & 0xff) | (st_dev >> 12 & 0xfff00));
}
u32 mount_id(const struct inode *ino);
u32 mount_flags(enum inode_fs fs, u32 volume); /* f_flags of statfs; volume 0: none */

/* Files of /proc: mounts.c, and locks: file_lock.c. 0 or -errno. */
s64 show_mounts(struct text *t, const struct proc_target *p);
s64 show_mountinfo(struct text *t, const struct proc_target *p);
s64 show_mountstats(struct text *t, const struct proc_target *p);
s64 show_locks(struct text *t, const struct proc_target *p);
/* Of fdinfo: the locks that pid took by f, as lines of /proc/locks; flock first. */
void file_locks_describe(struct file *f, s32 pid, struct text *t);

#endif
