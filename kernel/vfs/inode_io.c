/* SPDX-License-Identifier: ISC */
/*
 * Data of regular files. In kin: straight between the object's pages and application memory,
 * under the inode's lock, so that a write is seen whole, appends do not overlap and pages cannot
 * be freed under a copy. The application's pages are made present before the lock is taken
 * (mm_accessible): a fault under it could need this very file. A host-backed file is read by the
 * monitor into the application's memory directly (mm_host_span).
 *
 * If the owner of the lock dies, the inode is whole: size is stored after the data, each other
 * change is one store.
 */
#include <asm/errno.h>
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/resource.h>
#include <linux/uio.h>

#include "kernel/fd/transfer.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"
#include "kernel/vfs/vfs_hooks.h"

#define CHUNK (1ull << 20) /* under one lock; an append is never split */
#define SIZE_MAX_FILE 0x7ffffffffffff000ull
#define DAY_NS (24 * 3600 * (s64)NSEC_PER_SEC)

bool inode_data_lock(struct inode *ino)
{
	kin_lock_recover(&ino->lock, kin_recover_whole, NULL);
	return true;
}

/* relatime: at most once a day, or when the file has changed since. */
static void accessed(struct inode *ino)
{
	if (ino->atime_ns > ino->mtime_ns && ino->atime_ns > ino->ctime_ns)
		return;
	ino->atime_ns = (s64)time_real_ns();
}

/* One side of a copy: application memory, or the kernel's (user false). Bytes copied. */
static size_t put_some(void *dst, const void *src, size_t n, bool user)
{
	if (user)
		return n - copy_out_some(dst, src, n);
	memcpy(dst, src, n);
	return n;
}

static size_t get_some(void *dst, const void *src, size_t n, bool user)
{
	if (user)
		return n - copy_in_some(dst, src, n);
	memcpy(dst, src, n);
	return n;
}

static size_t zero_some(void *dst, size_t n, bool user)
{
	if (user)
		return clear_out(dst, n) ? 0 : n;
	memset(dst, 0, n);
	return n;
}

/*
 * The lock is held. Bytes copied; less than len at the end of the file or where the application's
 * memory ends.
 */
static size_t read_object(struct inode *ino, u8 *buf, size_t len, u64 pos, bool user)
{
	size_t done = 0;
	u64 size = ino->size;

	if (pos >= size)
		return 0;
	len = MIN(len, size - pos);
	while (done < len) {
		u64 run = 1, off = (pos + done) % PAGE_SIZE;
		u8 *page =
			ino->object ? object_page(ino->object, (pos + done) / PAGE_SIZE, false, &run) : NULL;
		size_t n = MIN(len - done, (page ? run : 1) * PAGE_SIZE - off);
		size_t copied =
			page ? put_some(buf + done, page + off, n, user) : zero_some(buf + done, n, user);
		done += copied;
		if (copied < n)
			break;
	}
	return done;
}

struct kin_object *inode_object(struct inode *ino)
{
	struct kin_object *o = ino->object ? NULL : object_create(0);

	if (o)
		own_give(&ino->object, o);
	return ino->object;
}

/*
 * The lock is held. Pages are allocated as needed; the size is stored last. Bytes, -ENOSPC or
 * -EFAULT.
 */
static s64 write_object(struct inode *ino, const u8 *buf, size_t len, u64 pos, bool user)
{
	size_t done = 0;

	if (!inode_object(ino))
		return -ENOSPC;
	s64 err = 0;
	while (done < len && !err) {
		u64 run = 1, off = (pos + done) % PAGE_SIZE;
		u8 *page = object_page(ino->object, (pos + done) / PAGE_SIZE, true, &run);
		if (!page) {
			err = -ENOSPC;
			break;
		}
		size_t n = MIN(len - done, run * PAGE_SIZE - off);
		size_t copied = get_some(page + off, buf + done, n, user);
		done += copied;
		if (copied < n)
			err = -EFAULT;
	}
	if (done) {
		if (pos + done > ino->size)
			ino->size = pos + done;
		inode_touch(ino, true);
	}
	return done ? (s64)done : err;
}

/* Host-backed: the monitor reads into the memory that the application means. */
static s64 read_host(struct inode *ino, u64 buf, size_t len, u64 pos, bool user)
{
	s64 handle = on_volume(ino) ? handle_get_volume(ino, O_RDONLY) : handle_get(ino);
	size_t done = 0;

	if (handle < 0)
		return handle;
	if (!on_volume(ino)) {
		if (pos >= ino->size)
			return 0;
		len = MIN(len, ino->size - pos);
	}
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

static s64 inode_read(struct inode *ino, void *buf, size_t len, u64 pos, bool user)
{
	size_t done = 0;

	if (inode_is(ino, INODE_LOWER) || on_volume(ino))
		return read_host(ino, (u64)buf, len, pos, user);
	accessed(ino);
	while (done < len && pos + done < ino->size) {
		size_t n = MIN(len - done, CHUNK);
		n = MIN(n, ino->size - pos - done);
		if (user)
			n = mm_accessible(current->proc->mm, (u64)buf + done, n, true);
		if (!n)
			return done ? (s64)done : -EFAULT;
		inode_data_lock(ino);
		size_t got = read_object(ino, (u8 *)buf + done, n, pos + done, user);
		kin_unlock(&ino->lock);
		done += got;
		if (got < n)
			break;
	}
	return (s64)done;
}

s64 inode_read_kernel(struct inode *ino, void *buf, size_t len, u64 pos)
{
	return inode_read(ino, buf, len, pos, false);
}

s64 inode_write_kernel(struct inode *ino, const void *buf, size_t len, u64 pos)
{
	if (on_volume(ino))
		return volume_write_kernel(ino, buf, len, pos);
	inode_data_lock(ino);
	s64 n = write_object(ino, buf, len, pos, false);
	kin_unlock(&ino->lock);
	return n;
}

static s64 file_read(struct file *f, void *buf, size_t len, s64 *pos)
{
	if ((f->flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	s64 n = inode_read(f->inode, buf, len, (u64)*pos, true);
	if (n > 0)
		*pos += n;
	return n;
}

size_t file_may_extend(u64 pos, size_t len)
{
	u64 limit = current->proc->rlimit_cur[RLIMIT_FSIZE];

	limit = MIN(limit, SIZE_MAX_FILE);
	if (pos < limit)
		return MIN(len, limit - pos);
	if (current->proc->rlimit_cur[RLIMIT_FSIZE] <= pos)
		signal_send_thread(current, SIGXFSZ, NULL);
	return 0;
}

/*
 * Pieces [0, n) under one lock, all of them present in memory. *pos is where they went: the end
 * of the file for an append. Bytes; less than there are if memory or RLIMIT_FSIZE ends.
 */
static s64 write_locked(struct file *f, const struct iovec *iov, u32 n, u64 *pos)
{
	struct inode *ino = f->inode;
	s64 done = 0;

	if (file_call_flags(f) & O_APPEND)
		*pos = ino->size;
	for (u32 i = 0; i < n; i++) {
		size_t len = iov[i].iov_len, may = len ? file_may_extend(*pos, len) : 0;
		if (!len)
			continue;
		if (may && ino->seals) {
			may = seals_allow_write(ino, *pos, may);
			if (!may)
				return done ? done : -EPERM;
		}
		s64 got = may ? write_object(ino, iov[i].iov_base, may, *pos, true) : -EFBIG;
		if (got < 0)
			return done ? done : got;
		*pos += (u64)got;
		done += got;
		if ((size_t)got < len)
			break;
	}
	if (done && (ino->mode & (S_ISUID | S_ISGID)) && cred_uid() != 0)
		ino->mode &= ~(u32)S_ISUID & ~(ino->mode & 010 ? (u32)S_ISGID : 0);
	return done;
}

/*
 * Makes the pieces present. How many of them, the last one shortened, are; -EFAULT if not a byte
 * is.
 */
static s64 make_present(struct iovec *iov, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		size_t len = iov[i].iov_len;
		size_t ok = len ? mm_accessible(current->proc->mm, (u64)iov[i].iov_base, len, false) : 0;
		if (ok == len)
			continue;
		iov[i].iov_len = ok;
		return i || ok ? (s64)i + 1 : -EFAULT;
	}
	return n;
}

static s64 may_write(struct file *f)
{
	if ((f->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	return 0;
}

/* A vector is one write: nobody else's bytes come between. */
static s64 file_writev(struct file *f, const struct iovec *vector, u32 n, s64 *pos)
{
	struct iovec few[8], *iov = few;
	u64 at = (u64)*pos;
	s64 got = may_write(f);

	if (on_volume(f->inode))
		return got ? got : volume_writev(f, vector, n, pos);
	if (n > ARRAY_SIZE(few))
		iov = kmalloc(n * sizeof(*iov));
	if (!iov)
		return -ENOMEM;
	memcpy(iov, vector, n * sizeof(*iov));
	s64 present = got ? 0 : make_present(iov, n);
	if (!got && present > 0) {
		inode_data_lock(f->inode);
		got = write_locked(f, iov, (u32)present, &at);
		kin_unlock(&f->inode->lock);
	} else if (!got) {
		got = present;
	}
	if (iov != few)
		kfree(iov);
	if (got > 0)
		*pos = (s64)at;
	return got;
}

/*
 * Long writes at a position go in pieces, so that the lock is not held for long; an append is
 * one.
 */
static s64 file_write(struct file *f, const void *buf, size_t len, s64 *pos)
{
	size_t done = 0;

	do {
		bool whole = file_call_flags(f) & O_APPEND || on_volume(f->inode);
		size_t n = whole ? len - done : MIN(len - done, CHUNK);
		struct iovec iov = {(u8 *)(uintptr_t)buf + done, n};
		s64 got = file_writev(f, &iov, 1, pos);
		if (got < 0)
			return done ? (s64)done : got;
		done += (size_t)got;
		if ((size_t)got < n)
			break;
	} while (done < len);
	return (s64)done;
}

s64 inode_truncate(struct inode *ino, u64 size)
{
	if (!S_ISREG(ino->mode) || ino->fs == FS_PROC)
		return -EINVAL;
	if (on_volume(ino))
		return volume_truncate(ino, size);
	if (ino->seals & (size < ino->size ? F_SEAL_SHRINK : size > ino->size ? F_SEAL_GROW : 0))
		return -EPERM;
	s64 err = inode_copy_up(ino, size == 0);
	if (err)
		return err;
	inode_data_lock(ino);
	u64 old = ino->size;
	ino->size = size;
	if (size < old && ino->object) {
		u64 run;
		u8 *tail =
			size % PAGE_SIZE ? object_page(ino->object, size / PAGE_SIZE, false, &run) : NULL;
		if (tail)
			memset(tail + size % PAGE_SIZE, 0, PAGE_SIZE - size % PAGE_SIZE);
		object_truncate(ino->object, (size + PAGE_SIZE - 1) / PAGE_SIZE);
	}
	kin_unlock(&ino->lock);
	inode_touch(ino, true);
	return 0;
}

static s64 file_truncate(struct file *f, u64 size)
{
	if ((f->flags & O_ACCMODE) == O_RDONLY)
		return -EINVAL;
	if (size > f->inode->size && !file_may_extend(size - 1, 1))
		return -EFBIG;
	return inode_truncate(f->inode, size);
}

/* SEEK_DATA and SEEK_HOLE: pages that are absent are holes; a host-backed file is all data. */
static s64 seek_hole(struct inode *ino, u64 pos, bool hole)
{
	s64 found = hole ? (s64)ino->size : -ENXIO;

	if (pos >= ino->size)
		return -ENXIO;
	if (inode_is(ino, INODE_LOWER))
		return hole ? found : (s64)pos;
	inode_data_lock(ino);
	for (u64 at = pos; at < ino->size; at = (at / PAGE_SIZE + 1) * PAGE_SIZE) {
		u64 run;
		bool data = ino->object && object_page(ino->object, at / PAGE_SIZE, false, &run);
		if (data != hole) {
			found = (s64)at;
			break;
		}
	}
	kin_unlock(&ino->lock);
	return found;
}

static s64 file_seek(struct file *f, s64 offset, int whence)
{
	s64 base = 0;

	if (on_volume(f->inode) && whence == SEEK_END)
		volume_refresh(f->inode);
	switch (whence) {
	case SEEK_SET: break;
	case SEEK_CUR: base = f->pos; break;
	case SEEK_END: base = (s64)f->inode->size; break;
	case SEEK_DATA:
	case SEEK_HOLE:
		if (on_volume(f->inode) && offset >= 0)
			return volume_seek(f->inode, (u64)offset, whence);
		return offset < 0 ? -ENXIO : seek_hole(f->inode, (u64)offset, whence == SEEK_HOLE);
	default: return -EINVAL;
	}
	s64 pos;
	if (__builtin_add_overflow(base, offset, &pos))
		return -EOVERFLOW;
	return pos < 0 ? -EINVAL : pos;
}

static s64 file_ioctl(struct file *f, u32 cmd, u64 arg)
{
	s32 left;

	if (cmd != FIONREAD)
		return -ENOTTY;
	if (on_volume(f->inode))
		volume_refresh(f->inode);
	left = (s32)((s64)f->inode->size - f->pos);
	return copy_out((void *)arg, &left, sizeof(left)) ? -EFAULT : 0;
}

const struct file_ops inode_file_ops = {
	.name = "inode",
	.read = file_read,
	.write = file_write,
	.writev = file_writev,
	.ioctl = file_ioctl,
	.seek = file_seek,
	.stat = file_stat,
	.truncate = file_truncate,
	.release = file_drop_inode,
	.seekable = true,
};
