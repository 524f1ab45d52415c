/* SPDX-License-Identifier: ISC */
/*
 * ioctls of regular files and directories: the attributes of chattr(1) on what the writable layer
 * keeps, where a file has data (FIEMAP), and the answers to who would share blocks, of which there
 * are none. Source: ioctl_iflags(2), ioctl_ficlonerange(2), Documentation/filesystems/fiemap.rst.
 */
#include <asm/errno.h>
#include <asm/ioctls.h>
#include <linux/fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>

#include "kernel/fd/fd_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/mounts.h"

/* What may be set, as on a tmpfs of Linux. */
#define ATTRIBUTES (FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL)

bool inode_immutable(const struct inode *ino)
{
	return ino->attributes & FS_IMMUTABLE_FL;
}

bool inode_append_only(const struct inode *ino)
{
	return ino->attributes & FS_APPEND_FL;
}

static s64 attributes_set(struct inode *ino, u32 want)
{
	u32 guarded = (ino->attributes ^ want) & (FS_IMMUTABLE_FL | FS_APPEND_FL);
	s64 err = access_mount(ino);

	if (err)
		return err;
	if (access_owner(ino))
		return -EPERM;
	if (want & ~(u32)ATTRIBUTES)
		return -EOPNOTSUPP;
	if (guarded && !cred_capable(CAP_LINUX_IMMUTABLE))
		return -EPERM;
	inode_pin(ino);
	ino->attributes = want;
	inode_touch(ino, false);
	return 0;
}

static s64 attributes_ioctl(struct inode *ino, u32 cmd, u64 arg)
{
	u32 word = ino->attributes;

	if (cmd == FS_IOC_GETFLAGS)
		return copy_out((void *)arg, &word, sizeof(word)) ? -EFAULT : 0;
	return copy_in(&word, (void *)arg, sizeof(word)) ? -EFAULT : attributes_set(ino, word);
}

/* The same in the words of another interface. */
static const struct {
	u32 flag, xflag;
} names[] = {
	{FS_IMMUTABLE_FL, FS_XFLAG_IMMUTABLE},
	{FS_APPEND_FL, FS_XFLAG_APPEND},
	{FS_NODUMP_FL, FS_XFLAG_NODUMP},
	{FS_NOATIME_FL, FS_XFLAG_NOATIME},
};

static s64 xattributes_ioctl(struct inode *ino, u32 cmd, u64 arg)
{
	struct fsxattr x = {0};
	u32 want = 0, known = 0;

	if (cmd == FS_IOC_FSSETXATTR && copy_in(&x, (void *)arg, sizeof(x)))
		return -EFAULT;
	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		known |= names[i].xflag;
		want |= x.fsx_xflags & names[i].xflag ? names[i].flag : 0;
		if (cmd == FS_IOC_FSGETXATTR && ino->attributes & names[i].flag)
			x.fsx_xflags |= names[i].xflag;
	}
	if (cmd == FS_IOC_FSGETXATTR)
		return copy_out((void *)arg, &x, sizeof(x)) ? -EFAULT : 0;
	if (x.fsx_xflags & ~known || x.fsx_extsize || x.fsx_cowextsize || x.fsx_projid)
		return -EOPNOTSUPP;
	return attributes_set(ino, want);
}

/* ---- FIEMAP: where data is says seek; on what disk nobody can say */

static s64 seek(struct inode *ino, u64 pos, int whence)
{
	const struct inode_ops *ops = inode_ops(ino);

	return ops->seek ? ops->seek(ino, pos, whence) : inode_seek_data(ino, pos, whence);
}

/* The next extent with data at or after pos: false if there is none. */
static bool extent_next(struct inode *ino, u64 pos, u64 *start, u64 *end)
{
	s64 data = seek(ino, pos, SEEK_DATA);
	s64 hole = data < 0 ? data : seek(ino, (u64)data, SEEK_HOLE);

	if (hole < 0)
		return false;
	*start = ALIGN_DOWN((u64)data, PAGE_SIZE);
	*end = ALIGN_UP((u64)hole, PAGE_SIZE);
	return *end > *start;
}

static s64 fiemap(struct inode *ino, u64 arg)
{
	struct fiemap map;
	u64 start, end, more = 0, more_end = 0, limit;
	u32 n = 0;

	if (!S_ISREG(ino->mode))
		return -EOPNOTSUPP;
	if (copy_in(&map, (void *)arg, sizeof(map)))
		return -EFAULT;
	u32 unknown = map.fm_flags & ~(u32)FIEMAP_FLAG_SYNC;
	map.fm_flags = unknown;
	if (unknown)
		return copy_out((void *)arg, &map, sizeof(map)) ? -EFAULT : -EBADR;
	if (!map.fm_length || map.fm_start > INT64_MAX)
		return map.fm_length ? -EFBIG : -EINVAL;
	inode_refresh(ino);
	limit = map.fm_start + MIN(map.fm_length, INT64_MAX - map.fm_start);
	bool any = extent_next(ino, map.fm_start, &start, &end);
	for (; any && start < limit; n++, start = more, end = more_end) {
		any = extent_next(ino, end, &more, &more_end);
		struct fiemap_extent e = {
			.fe_logical = start,
			.fe_length = end - start,
			.fe_flags = FIEMAP_EXTENT_UNKNOWN | (any ? 0u : FIEMAP_EXTENT_LAST),
		};
		if (map.fm_extent_count && n == map.fm_extent_count)
			break;
		if (map.fm_extent_count &&
			copy_out((u8 *)arg + sizeof(map) + n * sizeof(e), &e, sizeof(e)))
			return -EFAULT;
	}
	map.fm_mapped_extents = n;
	return copy_out((void *)arg, &map, sizeof(map)) ? -EFAULT : 0;
}

/* ---- sharing blocks: in which order Linux finds fault with what it cannot do either */

s64 file_clone_check(struct file *to, u64 fd)
{
	struct file *from = fd_get((int)fd);
	struct kstat in = {0}, out = {0};
	s64 err = -EOPNOTSUPP;

	if (!from)
		return -EBADF;
	if (file_describe(from, &in) || file_describe(to, &out) || in.dev != out.dev)
		err = -EXDEV;
	else if (S_ISDIR(in.mode) || S_ISDIR(out.mode))
		err = -EISDIR;
	else if (!S_ISREG(in.mode) || !S_ISREG(out.mode))
		err = -EINVAL;
	else if ((from->flags & O_ACCMODE) == O_WRONLY || (to->flags & O_ACCMODE) == O_RDONLY ||
			 to->flags & O_APPEND)
		err = -EBADF;
	file_put(from);
	return err;
}

/* How long what is written will live. All this is memory: the hint is kept for who asks. */
s64 write_hint_fcntl(struct file *f, u32 cmd, u64 arg)
{
	u64 hint = f->inode ? f->inode->hint : RWH_WRITE_LIFE_NOT_SET;

	if (cmd == F_GET_RW_HINT)
		return copy_out((void *)arg, &hint, sizeof(hint)) ? -EFAULT : 0;
	if (copy_in(&hint, (const void *)arg, sizeof(hint)))
		return -EFAULT;
	if (hint > RWH_WRITE_LIFE_EXTREME)
		return -EINVAL;
	if (f->inode && access_owner(f->inode))
		return -EPERM;
	if (f->inode)
		f->inode->hint = (u32)hint;
	return 0;
}

/* The block of a disk that holds one of the file: there is no disk to number them. */
static s64 block_number(const struct inode *ino, u64 arg)
{
	s32 block;

	if (!S_ISREG(ino->mode))
		return -ENOTTY;
	if (!cred_capable(CAP_SYS_RAWIO))
		return -EPERM;
	return copy_in(&block, (void *)arg, sizeof(block)) ? -EFAULT : -EINVAL;
}

static u64 inode_blocks(struct inode *ino)
{
	struct kstat st = {0};

	inode_refresh(ino);
	inode_stat(ino, &st);
	return st.blocks;
}

s64 inode_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct inode *ino = f->inode;
	struct file_clone_range range;
	bool kept = inode_ops(ino)->xattrs;
	s64 used;
	s32 left;

	switch (cmd) {
	case FS_IOC_GETFLAGS:
	case FS_IOC_SETFLAGS: return kept ? attributes_ioctl(ino, cmd, arg) : -ENOTTY;
	case FS_IOC_FSGETXATTR:
	case FS_IOC_FSSETXATTR: return kept ? xattributes_ioctl(ino, cmd, arg) : -ENOTTY;
	case FS_IOC_FIEMAP: return fiemap(ino, arg);
	case FICLONERANGE:
		return copy_in(&range, (void *)arg, sizeof(range)) ? -EFAULT
														   : file_clone_check(f, (u64)range.src_fd);
	case FIBMAP: return block_number(ino, arg);
	case FIOQSIZE:
		used = (s64)inode_blocks(ino) * 512;
		return copy_out((void *)arg, &used, sizeof(used)) ? -EFAULT : 0;
	case FIONREAD:
		if (!S_ISREG(ino->mode))
			return -ENOTTY;
		inode_refresh(ino);
		left = (s32)((s64)ino->size - f->pos);
		return copy_out((void *)arg, &left, sizeof(left)) ? -EFAULT : 0;
	default: return -ENOTTY;
	}
}
