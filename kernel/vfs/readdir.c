/* SPDX-License-Identifier: ISC */
/*
 * Directories as files: getdents. What the entries are and what positions mean is the file
 * system's; here they get the application's form.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/readdir.h"

#define LISTING_SIZE 32768

static char entries[LISTING_SIZE] __attribute__((aligned(8)));

bool list_emit(struct filler *f, const char *name, size_t n, u64 ino, u32 type, u64 next)
{
	size_t head = f->old ? 18 : 19;
	size_t len = ALIGN_UP(head + n + 1 + (f->old ? 1 : 0), 8);

	if (f->used + len > f->size) {
		f->full = true;
		return false;
	}
	char *r = f->buf + f->used;
	memset(r, 0, len);
	memcpy(r, &ino, 8);
	memcpy(r + 8, &next, 8);
	u16 reclen = (u16)len;
	memcpy(r + 16, &reclen, 2);
	if (f->old)
		r[len - 1] = (char)type;
	else
		r[18] = (char)type;
	memcpy(r + head, name, n);
	f->used += len;
	f->last = next;
	return true;
}

u32 list_type(u32 mode)
{
	return (mode & S_IFMT) >> 12;
}

bool list_dots(struct filler *f, struct inode *dir, u64 *pos, u64 parent)
{
	if (*pos == 0 && list_emit(f, ".", 1, dir->ino, list_type(S_IFDIR), 1))
		*pos = 1;
	if (*pos == 1 && list_emit(f, "..", 2, parent, list_type(S_IFDIR), 2))
		*pos = 2;
	return !f->full && *pos >= 2;
}

/* f->lock is held. */
static s64 fill(struct file *f, struct filler *fill)
{
	const struct inode_ops *ops = inode_ops(f->inode);
	s64 err;

	fill->last = (u64)f->pos;
	if (inode_is(f->inode, INODE_DEAD))
		return -ENOENT;
	err = ops->list ? ops->list(f, fill, (u64)f->pos) : 0;
	return fill->used ? 0 : err;
}

static s64 getdents(struct file *f, u64 buf, size_t len, bool old)
{
	struct filler fl = {.buf = entries, .size = MIN(len, sizeof(entries)), .old = old};

	if (f->type != FILE_DIR)
		return -ENOTDIR;
	kin_lock_recover(&f->lock, kin_recover_whole, NULL);
	s64 err = fill(f, &fl);
	if (!err && fl.full && !fl.used)
		err = -EINVAL;
	if (!err && fl.used && copy_out((void *)buf, entries, fl.used))
		err = -EFAULT;
	if (!err && fl.used)
		f->pos = (s64)fl.last;
	kin_unlock(&f->lock);
	return err ? err : (s64)fl.used;
}

static s64 dir_getdents(struct file *f, void *buf, size_t len)
{
	return getdents(f, (u64)buf, len, false);
}

static s64 getdents_fd(u64 fd, u64 buf, u64 len, bool old)
{
	struct file *f = fd_get((int)fd);

	if (!f)
		return -EBADF;
	s64 n = getdents(f, buf, len, old);
	if (n >= 0)
		notify_file(f, IN_ACCESS);
	file_put(f);
	return n;
}

s64 sys_getdents64(u64 fd, u64 buf, u64 len)
{
	return getdents_fd(fd, buf, len, false);
}

s64 sys_getdents(u64 fd, u64 buf, u64 len)
{
	return getdents_fd(fd, buf, len, true);
}

static s64 dir_read(struct file *f, void *buf, size_t len, s64 *pos)
{
	return -EISDIR;
}

const struct file_ops dir_file_ops = {
	.name = "dir",
	.read = dir_read,
	.seek = seek_endless,
	.ioctl = inode_ioctl,
	.stat = file_stat,
	.getdents = dir_getdents,
	.release = file_drop_inode,
	.seekable = true,
};
