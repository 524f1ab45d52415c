/* SPDX-License-Identifier: ISC */
/*
 * What a program file gives to whoever executes it: set-user-ID and set-group-ID bits, file
 * capabilities. Source: execve(2), capabilities(7).
 */
#ifndef KERNEL_VFS_SET_ID_H
#define KERNEL_VFS_SET_ID_H

#include "common/types.h"

struct file;

struct file_set_id {
	bool set_uid, set_gid;      /* to these */
	u32 uid, gid;
	bool has_caps, effective;
	u64 permitted, inheritable; /* capabilities of the file */
	bool readable;              /* by the current process, which may look at what it runs then */
};
/* On what is mounted nosuid no file gives anything. */
void file_set_id(struct file *f, struct file_set_id *out);

#endif
