/* SPDX-License-Identifier: ISC */
/* What stat(2) says of a file, before it has the application's shape. */
#ifndef KERNEL_LIB_KSTAT_H
#define KERNEL_LIB_KSTAT_H

#include "common/types.h"

struct kstat {
	u64 dev, ino, rdev, size, blocks, blksize;
	u32 mode, nlink, uid, gid;
	s64 atime_ns, mtime_ns, ctime_ns, btime_ns;
	bool read_only; /* it lies where nothing can be changed */
};

#endif
