/* SPDX-License-Identifier: ISC */
/*
 * Who may do what with a file: mode bits against the ids of the process (access.c). Included by
 * inode.h.
 */
#ifndef KERNEL_VFS_ACCESS_H
#define KERNEL_VFS_ACCESS_H

#include "kernel/task/cred.h"

struct inode;

enum { MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4 };
/* with the effective ids: 0 or -EACCES */
int access_check(u32 mode, u32 uid, u32 gid, u32 want);
struct access_as {
	u32 uid, gid;
	u64 caps;
};
int access_check_as(u32 mode, u32 uid, u32 gid, u32 want, const struct access_as *as);
int access_inode(struct inode *ino, u32 want);
/* 0 or -EROFS: what holds it may only be read, whoever asks */
int access_mount(const struct inode *ino);
/* 0 or -EPERM: not the owner, no CAP_FOWNER */
int access_owner(struct inode *ino);
int access_sticky(struct inode *dir, struct inode *victim); /* 0 or -EPERM */
u32 cred_uid(void);
u32 cred_gid(void);
bool cred_in_group(u32 gid);

#endif
