/* SPDX-License-Identifier: ISC */
/*
 * The family's memory of call sites, in kin: for each file, where a `syscall` was redirected. Only
 * grows; a file is known by device, inode, size and time of change.
 */
#ifndef KERNEL_MM_CALL_SITES_H
#define KERNEL_MM_CALL_SITES_H

#include "common/types.h"

#define FILE_SITES_MAX 120

struct file;

struct known_site {
	u64 offset; /* in the file: of what follows the `syscall` */
	u32 nr;     /* the number that it loads */
	u32 reserved;
};

struct site_file {
	u64 dev, ino, size;
	s64 mtime_ns;
	_Atomic u32 count; /* sites below are complete */
	struct known_site site[FILE_SITES_MAX];
};

void sites_note(struct file *f, u64 offset, u32 nr);
const struct site_file *sites_of(struct file *f); /* NULL: nothing is known */
u32 sites_total(void);                            /* how many were ever noted */

#endif
