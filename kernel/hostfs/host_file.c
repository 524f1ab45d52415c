/* SPDX-License-Identifier: ISC */
/*
 * Contents of files and directories that the host has, by a handle: what the root and volumes do
 * alike. The monitor reads straight into the application's memory (mm_host_span).
 */
#include <asm/errno.h>
#include <linux/mman.h>

#include "kernel/arch/arch.h"
#include "kernel/hostfs/hostfs.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/task/thread.h"

#define LISTING_SIZE 32768

static char listing[LISTING_SIZE] __attribute__((aligned(8)));

s64 host_entries(struct inode *dir, u64 *at, bool (*fn)(void *arg, struct host_dirent *d),
				 void *arg)
{
	for (;;) {
		s64 handle = handle_get(dir);
		s64 n = handle < 0 ? handle : host_fs_getdents((int)handle, listing, sizeof(listing), *at);
		if (n <= 0)
			return n;
		for (s64 used = 0; used + 19 < n;) {
			struct host_dirent *d = (struct host_dirent *)(listing + used);
			if (d->reclen < 20 || used + d->reclen > n)
				return -EIO;
			used += d->reclen;
			if (!fn(arg, d))
				return 0;
			*at = (u64)d->off;
		}
	}
}

s64 host_read(s64 handle, u64 buf, size_t len, u64 pos, bool user)
{
	size_t done = 0;

	if (handle < 0)
		return handle;
	while (done < len) {
		u64 host = buf + done, n = len - done;
		if (user)
			n = mm_host_span(current->proc->mm, buf + done, n, true, &host);
		if (!n)
			return done ? (s64)done : -EFAULT;
		n = MIN(n, 8ull << 20);
		s64 got = host_fs_pread((int)handle, (void *)host, n, pos + done);
		if (got < 0)
			return done ? (s64)done : got;
		done += (size_t)got;
		if (got == 0)
			break;
	}
	return (s64)done;
}

s64 host_map(s64 handle, u64 va, u64 len, int prot, u64 offset, bool shared)
{
	if (handle < 0)
		return handle;
	return paging->map_file(va, len, prot, (int)handle, offset, shared ? MAP_SHARED : MAP_PRIVATE);
}
