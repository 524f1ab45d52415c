/* SPDX-License-Identifier: ISC */
/* Where in a vector of application memory a transfer stands. The vector itself is kernel memory. */
#ifndef KERNEL_FD_IOV_H
#define KERNEL_FD_IOV_H

#include "common/types.h"

struct iovec;

struct iov_cursor {
	const struct iovec *iov;
	u32 n;
	size_t offset; /* into iov[0] */
	size_t left;   /* bytes to the end of the vector */
};

struct iov_cursor iov_start(const struct iovec *iov, u32 n);
/*
 * Copies len bytes (<= left) between the vector and kernel or kin memory, and moves on. Bytes NOT
 * copied: a fault.
 */
size_t iov_copy_out(struct iov_cursor *c, const void *from, size_t len);
size_t iov_copy_in(struct iov_cursor *c, void *to, size_t len);

#endif
