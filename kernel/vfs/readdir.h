/* SPDX-License-Identifier: ISC */
/* Entries of directories on their way to the application: for inode_ops.list. */
#ifndef KERNEL_VFS_READDIR_H
#define KERNEL_VFS_READDIR_H

#include "kernel/vfs/inode.h"

struct filler {
	char *buf;
	size_t size, used;
	u64 last; /* position after the last entry */
	bool old; /* getdents: the type is the last byte of the entry */
	bool full;
};

/* One entry. next: the position behind it. False: it does not fit any more. */
bool list_emit(struct filler *f, const char *name, size_t n, u64 ino, u32 type, u64 next);
/* "." and "..", for positions 0 and 1; *pos advances. Is there room for more? */
bool list_dots(struct filler *f, struct inode *dir, u64 *pos, u64 parent);
u32 list_type(u32 mode); /* DT_* */

#endif
