/* SPDX-License-Identifier: ISC */
/* The application's vectors, copied once and checked: kernel/fs/rw.c. */
#ifndef KERNEL_FS_TRANSFER_H
#define KERNEL_FS_TRANSFER_H

#include <linux/uio.h>

#include "common/types.h"

#define IOV_INLINE 8

/* A transfer in one or several pieces. Small vectors need no memory. */
struct transfer {
	struct iovec *iov;
	u32 n;
	size_t total; /* bytes */
	struct iovec inline_iov[IOV_INLINE];
};

/* n pieces from the application's vector at iov: 0, -EINVAL, -EFAULT, -ENOMEM. */
s64 transfer_vector(struct transfer *t, u64 iov, u64 n);
void transfer_end(struct transfer *t); /* after a vector that was taken */

#endif
