/* SPDX-License-Identifier: ISC */
/*
 * Contents of files on volumes: the host's calls on a handle, straight from and to the memory that
 * the application means. A write is one call on the host, which keeps it and an append whole among
 * members and with the host's own programs.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/resource.h>
#include <linux/uio.h>

#include "kernel/fd/transfer.h"
#include "kernel/hostfs/hostfs.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/task/thread.h"
#include "kernel/volume/volume.h"

#define PIECE_MAX (8ull << 20)

/* Where a vector's reader stands. */
struct cursor {
	const struct iovec *iov;
	u32 n;
	u64 offset; /* into the first */
	u64 left;   /* bytes that may still be written */
	bool fault;
};

/* As many pieces as fit. Bytes. */
static u64 collect(struct hyp_write *w, struct cursor *c)
{
	u64 total = 0;

	w->count = 0;
	while (c->n && c->left && w->count < HYP_WRITE_PIECES) {
		u64 len = MIN(MIN(c->iov->iov_len - c->offset, c->left), PIECE_MAX), host;
		if (!len) {
			c->iov++;
			c->n--;
			c->offset = 0;
			continue;
		}
		len = mm_host_span(current->proc->mm, (u64)c->iov->iov_base + c->offset, len, false, &host);
		if (!len) {
			c->fault = true;
			break;
		}
		w->piece[w->count].addr = host;
		w->piece[w->count++].len = len;
		c->offset += len;
		c->left -= len;
		total += len;
	}
	return total;
}

static u32 write_flags(u32 flags)
{
	return (flags & O_APPEND ? HYP_WRITE_APPEND : 0) |
		   ((flags & O_SYNC) == O_SYNC ? HYP_WRITE_SYNC : flags & O_DSYNC ? HYP_WRITE_DSYNC : 0);
}

/* RLIMIT_FSIZE for a write of len bytes: how many may be. */
static u64 limit(struct file *f, u64 pos, u64 len)
{
	bool append = file_call_flags(f) & O_APPEND;

	if (append && current->proc->kp->inherited.rlimit_cur[RLIMIT_FSIZE] != ~0ull) {
		volume_refresh(f->inode);
		pos = f->inode->size;
	}
	return file_may_extend(append ? f->inode->size : pos, len);
}

s64 volume_writev(struct file *f, const struct iovec *iov, u32 n, s64 *pos)
{
	static struct hyp_write w;
	struct cursor c = {.iov = iov, .n = n};
	s64 handle = handle_get_volume(f->inode, f->flags & O_ACCMODE), got = 0;
	u64 done = 0, total = 0;

	if (handle < 0)
		return handle;
	for (u32 i = 0; i < n; i++)
		total += iov[i].iov_len;
	if (!total)
		return 0;
	c.left = limit(f, (u64)*pos, total);
	if (!c.left)
		return -EFBIG;
	w.pos = (u64)*pos;
	w.flags = write_flags(file_call_flags(f));
	for (;;) {
		u64 want = collect(&w, &c);
		if (!want)
			break;
		got = host_vol_write((int)handle, &w);
		if (got < 0)
			break;
		done += (u64)got;
		if (!(w.flags & HYP_WRITE_APPEND))
			w.pos += (u64)got;
		*pos = (s64)w.pos;
		if ((u64)got < want || c.fault)
			break;
	}
	return done ? (s64)done : got < 0 ? got : c.fault ? -EFAULT : 0;
}

s64 volume_open(struct inode *ino, u32 access)
{
	s64 handle = handle_get_volume(ino, access);

	return handle < 0 ? handle : 0;
}

s64 volume_read(struct inode *ino, u64 buf, size_t len, u64 pos, bool user)
{
	return host_read(handle_get_volume(ino, O_RDONLY), buf, len, pos, user);
}

s64 volume_map(struct inode *ino, u64 va, u64 len, int prot, u64 offset)
{
	return host_map(handle_get_volume(ino, O_RDONLY), va, len, prot, offset, false);
}

s64 volume_map_shared(struct inode *ino, u32 access, u64 va, u64 len, int prot, u64 offset)
{
	return host_map(handle_get_volume(ino, access), va, len, prot, offset, true);
}

s64 volume_write_kernel(struct inode *ino, const void *buf, size_t len, u64 pos)
{
	static struct hyp_write w;
	s64 handle = handle_get_volume(ino, O_WRONLY);

	if (handle < 0)
		return handle;
	w.pos = pos;
	w.flags = 0;
	w.count = 1;
	w.piece[0].addr = (u64)buf;
	w.piece[0].len = len;
	return host_vol_write((int)handle, &w);
}

s64 volume_truncate(struct inode *ino, u64 size)
{
	s64 handle = handle_get_volume(ino, O_WRONLY);

	return handle < 0 ? handle : host_vol_truncate((int)handle, size);
}

s64 volume_allocate(struct inode *ino, u32 mode, u64 pos, u64 len)
{
	s64 handle = handle_get_volume(ino, O_WRONLY);

	return handle < 0 ? handle : host_vol_allocate((int)handle, mode, pos, len);
}

/* Whatever handle there is does. */
static s64 any_handle(struct inode *ino)
{
	int handle = handle_find(ino);

	return handle >= 0 ? handle : handle_get_volume(ino, O_RDONLY);
}

s64 volume_seek(struct inode *ino, u64 pos, int whence)
{
	s64 handle = any_handle(ino);

	return handle < 0 ? handle : host_vol_seek((int)handle, pos, whence);
}

s64 volume_sync(struct inode *ino, enum hyp_sync what)
{
	s64 handle = any_handle(ino);

	return handle < 0 ? handle : host_vol_sync((int)handle, what);
}
