/* SPDX-License-Identifier: ISC */
/* Copies between a vector of application memory and the kernel's. */
#include "kernel/fd/iov.h"

#include <linux/uio.h>

#include "kernel/arch/arch.h"

static void skip_empty(struct iov_cursor *c)
{
	while (c->left && c->offset == c->iov->iov_len) {
		c->iov++;
		c->n--;
		c->offset = 0;
	}
}

struct iov_cursor iov_start(const struct iovec *iov, u32 n)
{
	struct iov_cursor c = {.iov = iov, .n = n};

	for (u32 i = 0; i < n; i++)
		c.left += iov[i].iov_len;
	skip_empty(&c);
	return c;
}

static size_t iov_copy(struct iov_cursor *c, char *kernel, size_t len, bool out)
{
	while (len) {
		size_t part = MIN(len, c->iov->iov_len - c->offset);
		char *user = (char *)c->iov->iov_base + c->offset;
		size_t failed = out ? copy_out_some(user, kernel, part) : copy_in_some(kernel, user, part);
		size_t done = part - failed;

		c->offset += done;
		c->left -= done;
		kernel += done;
		len -= done;
		if (failed)
			break;
		skip_empty(c);
	}
	return len;
}

size_t iov_copy_out(struct iov_cursor *c, const void *from, size_t len)
{
	return iov_copy(c, (char *)from, len, true);
}

size_t iov_copy_in(struct iov_cursor *c, void *to, size_t len)
{
	return iov_copy(c, to, len, false);
}
