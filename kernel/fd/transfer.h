/* SPDX-License-Identifier: ISC */
/* The application's vectors, copied once and checked, and flags of one call: kernel/fd/rw.c. */
#ifndef KERNEL_FD_TRANSFER_H
#define KERNEL_FD_TRANSFER_H

#include <stdatomic.h>

#include <linux/uio.h>

#include "kernel/fd/file.h"
#include "kernel/task/thread.h"

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

/* O_*: the description's, and those that preadv2 or pwritev2 ask for. */
static inline u32 file_call_flags(const struct file *f)
{
	return atomic_load_explicit(&f->flags, memory_order_relaxed) | current->io_flags;
}

#endif
