/* SPDX-License-Identifier: ISC */
/*
 * Calls about files that need little here: syncing (the host's files do not change, the others
 * are memory), hints, mounting (not for members).
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/walk.h"

static s64 check_fd(u64 fd, s64 result)
{
	struct file *f = fd_get((int)fd);

	if (!f)
		return -EBADF;
	bool path = f->type == FILE_PATH;
	file_put(f);
	return path ? -EBADF : result;
}

static s64 sync_file_system_of(u64 fd)
{
	struct file *f = fd_get((int)fd);
	s64 err = 0;

	if (f && f->inode && f->type != FILE_PATH)
		err = inode_sync(f->inode, HYP_SYNC_FS);
	file_put(f);
	return err;
}

s64 sys_sync(void)
{
	for (u32 i = 0; i < vfs_shared()->volume_count; i++)
		inode_sync(vfs_shared()->volumes[i], HYP_SYNC_FS);
	return 0;
}

s64 sys_syncfs(u64 fd)
{
	return check_fd(fd, sync_file_system_of(fd));
}

static s64 sync_file(u64 fd, enum hyp_sync what)
{
	struct file *f = fd_get((int)fd);

	if (!f)
		return -EBADF;
	bool ok = f->type == FILE_INODE || f->type == FILE_DIR || f->type == FILE_HOST_IO;
	s64 err = f->type == FILE_PATH ? -EBADF : ok ? 0 : -EINVAL;
	if (!err && f->inode)
		err = inode_sync(f->inode, what);
	file_put(f);
	return err;
}

s64 sys_fsync(u64 fd)
{
	return sync_file(fd, HYP_SYNC_FILE);
}

s64 sys_fdatasync(u64 fd)
{
	return sync_file(fd, HYP_SYNC_DATA);
}

s64 sys_sync_file_range(u64 fd, u64 pos, u64 len, u64 flags)
{
	return flags & ~7ull ? -EINVAL : check_fd(fd, 0);
}

static s64 seekable(u64 fd)
{
	struct file *f = fd_get((int)fd);

	if (!f)
		return -EBADF;
	s64 err = f->type == FILE_PATH ? -EBADF : f->type == FILE_PIPE ? -ESPIPE : 0;
	file_put(f);
	return err;
}

s64 sys_fadvise64(u64 fd, u64 pos, u64 len, u64 advice)
{
	s64 err = seekable(fd);

	return err ? err : (s64)len < 0 || advice > 5 ? -EINVAL : 0;
}

s64 sys_readahead(u64 fd, u64 pos, u64 count)
{
	struct file *f = fd_get((int)fd);

	if (!f)
		return -EBADF;
	s64 err = (f->flags & O_ACCMODE) == O_WRONLY || f->type == FILE_PATH ? -EBADF
			  : f->type == FILE_INODE                                    ? 0
																		 : -EINVAL;
	file_put(f);
	return err;
}

/* The family's tree is what it was started with. */
s64 sys_mount(u64 source, u64 target, u64 type, u64 flags, u64 data, u64 unused)
{
	return -EPERM;
}

s64 sys_umount2(u64 target, u64 flags, u64 a, u64 b, u64 c, u64 d)
{
	return -EPERM;
}

s64 sys_pivot_root(u64 new, u64 old, u64 a, u64 b, u64 c, u64 d)
{
	return -EPERM;
}
