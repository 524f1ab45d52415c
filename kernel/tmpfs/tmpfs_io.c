/* SPDX-License-Identifier: ISC */
/*
 * Data of regular files in kin: straight between the object's pages and application memory,
 * under the inode's lock, so that a write is seen whole, appends do not overlap and pages cannot
 * be freed under a copy. The application's pages are made present before the lock is taken
 * (mm_accessible): a fault under it could need this very file.
 *
 * If the owner of the lock dies, the inode is whole: size is stored after the data, each other
 * change is one store.
 */
#include <asm/errno.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/uio.h>

#include "kernel/fd/transfer.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"
#include "kernel/tmpfs/tmpfs.h"

#define CHUNK (1ull << 20) /* under one lock; an append is never split */

/* relatime: at most once a day, or when the file has changed since. */
static void accessed(struct inode *ino)
{
	if (ino->atime_ns > ino->mtime_ns && ino->atime_ns > ino->ctime_ns)
		return;
	if (ino->attributes & FS_NOATIME_FL || (current && current->io_flags & O_NOATIME))
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

/* Its object, made if need be; the lock is held. */
static struct kin_object *inode_object(struct inode *ino)
{
	struct kin_object *o = ino->object ? NULL : object_create(0);

	if (o) {
		own_give(&ino->object, o);
		if (tmpfs_quota(ino->fs, ino->volume))
			object_bound(o, tmpfs_quota(ino->fs, ino->volume));
	}
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

s64 tmpfs_read(struct inode *ino, u64 buf, size_t len, u64 pos, bool user)
{
	size_t done = 0;

	accessed(ino);
	while (done < len && pos + done < ino->size) {
		size_t n = MIN(len - done, CHUNK);
		n = MIN(n, ino->size - pos - done);
		if (user)
			n = mm_accessible(current->proc->mm, buf + done, n, true);
		if (!n)
			return done ? (s64)done : -EFAULT;
		inode_data_lock(ino);
		size_t got = read_object(ino, (u8 *)(buf + done), n, pos + done, user);
		kin_unlock(&ino->lock);
		done += got;
		if (got < n)
			break;
	}
	return (s64)done;
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
	if (done && (ino->mode & (S_ISUID | S_ISGID)) && !cred_capable(CAP_FSETID))
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

/* A vector is one write: nobody else's bytes come between. */
static s64 write_whole(struct file *f, const struct iovec *vector, u32 n, s64 *pos)
{
	struct iovec few[8], *iov = few;
	u64 at = (u64)*pos;

	if (n > ARRAY_SIZE(few))
		iov = kmalloc(n * sizeof(*iov));
	if (!iov)
		return -ENOMEM;
	memcpy(iov, vector, n * sizeof(*iov));
	s64 got = make_present(iov, n);
	if (got > 0) {
		inode_data_lock(f->inode);
		got = write_locked(f, iov, (u32)got, &at);
		kin_unlock(&f->inode->lock);
	}
	if (iov != few)
		kfree(iov);
	if (got > 0)
		*pos = (s64)at;
	return got;
}

/*
 * A long write at a position goes in pieces, so that the lock is not held for long; a vector or an
 * append is one.
 */
s64 tmpfs_writev(struct file *f, const struct iovec *iov, u32 n, s64 *pos)
{
	size_t done = 0;

	if (n != 1 || iov->iov_len <= CHUNK || file_call_flags(f) & O_APPEND)
		return write_whole(f, iov, n, pos);
	while (done < iov->iov_len) {
		struct iovec piece = {(u8 *)iov->iov_base + done, MIN(iov->iov_len - done, CHUNK)};
		s64 got = write_whole(f, &piece, 1, pos);
		if (got < 0)
			return done ? (s64)done : got;
		done += (size_t)got;
		if ((size_t)got < piece.iov_len)
			break;
	}
	return (s64)done;
}

s64 tmpfs_truncate(struct inode *ino, u64 size)
{
	if (ino->seals & (size < ino->size ? F_SEAL_SHRINK : size > ino->size ? F_SEAL_GROW : 0))
		return -EPERM;
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
	if (size < old && ino->object)
		mm_object_cut(current->proc->mm, ino->object);
	inode_touch(ino, true);
	return 0;
}

/* Pages that are absent are holes. */
s64 tmpfs_seek(struct inode *ino, u64 pos, int whence)
{
	bool hole = whence == SEEK_HOLE;
	s64 found = hole ? (s64)ino->size : -ENXIO;

	if (pos >= ino->size)
		return -ENXIO;
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

/* Pages of [pos, +len) are allocated, so that later writes there cannot run out of memory. */
static s64 allocate(struct inode *ino, u64 pos, u64 len, bool keep_size)
{
	s64 err = 0;

	inode_data_lock(ino);
	inode_object(ino);
	for (u64 i = pos / PAGE_SIZE; ino->object && !err && i <= (pos + len - 1) / PAGE_SIZE;) {
		u64 run;
		if (object_page(ino->object, i, true, &run))
			i += run;
		else
			err = -ENOSPC;
	}
	if (!ino->object)
		err = -ENOSPC;
	if (!err && !keep_size && pos + len > ino->size)
		ino->size = pos + len;
	kin_unlock(&ino->lock);
	inode_touch(ino, !keep_size);
	return err;
}

static void clear_part(struct kin_object *o, u64 from, u64 to)
{
	u64 run;
	u8 *page = to > from ? object_page(o, from / PAGE_SIZE, false, &run) : NULL;

	if (page)
		memset(page + from % PAGE_SIZE, 0, to - from);
}

/* Zeroes [pos, +len): whole pages become holes, parts are cleared. */
static void punch(struct inode *ino, u64 pos, u64 len)
{
	inode_data_lock(ino);
	u64 end = pos + len, first = ALIGN_UP(pos, PAGE_SIZE), last = ALIGN_DOWN(end, PAGE_SIZE);
	struct kin_object *o = ino->object;

	if (o && first > last) { /* within one page */
		clear_part(o, pos, end);
	} else if (o) {
		clear_part(o, pos, first);
		if (last > first)
			object_punch(o, first / PAGE_SIZE, (last - first) / PAGE_SIZE);
		clear_part(o, last, end);
	}
	kin_unlock(&ino->lock);
	inode_touch(ino, true);
}

/* mode: PUNCH_HOLE or ZERO_RANGE, and KEEP_SIZE. */
s64 tmpfs_allocate(struct inode *ino, u32 mode, u64 pos, u64 len)
{
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		punch(ino, pos, len);
	return mode & FALLOC_FL_PUNCH_HOLE ? 0
									   : allocate(ino, pos, len, mode & FALLOC_FL_KEEP_SIZE);
}

struct kin_object *tmpfs_object(struct inode *ino)
{
	inode_data_lock(ino);
	struct kin_object *o = inode_object(ino);
	if (o)
		ref_get(OWN_OBJECT, o, hold_new(OWN_OBJECT));
	kin_unlock(&ino->lock);
	return o;
}

s64 tmpfs_write_kernel(struct inode *ino, const void *buf, size_t len, u64 pos)
{
	inode_data_lock(ino);
	s64 n = write_object(ino, buf, len, pos, false);
	kin_unlock(&ino->lock);
	return n;
}

/* Only pages that are there count. */
void tmpfs_stat(struct inode *ino, struct kstat *st)
{
	if (!S_ISREG(ino->mode))
		return;
	inode_data_lock(ino);
	st->blocks = ino->object ? object_pages(ino->object) * (PAGE_SIZE / 512) : 0;
	kin_unlock(&ino->lock);
}
