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

	file_put(f);
	return f ? result : -EBADF;
}

static s64 sync_file_system_of(u64 fd)
{
	struct file *f = fd_get((int)fd);
	s64 err = 0;

	if (f && f->inode)
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
	bool ok = f->type == FILE_INODE || f->type == FILE_HOST_IO ||
			  (f->type == FILE_DIR && inode_ops(f->inode)->setattr); /* not of /proc */
	s64 err = ok ? 0 : -EINVAL;
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
	struct file *f = fd_get((int)fd);
	struct kstat st = {0};
	u64 end = pos + len;
	s64 err = 0;

	if (!f)
		return -EBADF;
	if (flags & ~7ull || (s64)pos < 0 || (s64)end < 0 || end < pos)
		err = -EINVAL;
	else if (file_describe(f, &st) || !(S_ISREG(st.mode) || S_ISDIR(st.mode)))
		err = -ESPIPE;
	file_put(f);
	return err;
}

static s64 seekable(u64 fd)
{
	struct file *f = fd_get((int)fd);

	if (!f)
		return -EBADF;
	s64 err = f->type == FILE_PIPE ? -ESPIPE : 0;
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
	s64 err = -EINVAL;
	if ((f->flags & O_ACCMODE) == O_WRONLY)
		err = -EBADF;
	else if (f->type == FILE_INODE || f->type == FILE_PROC)
		err = 0;
	file_put(f);
	return err;
}

/* The family's tree is what it was started with, for places that exist. */
static s64 mount_refuse(u64 target)
{
	struct walk *w;
	s64 err = walk_user(&w, AT_FDCWD, target, WALK_FOLLOW);

	if (!err)
		walk_free(w);
	return err ? err : -EPERM;
}

s64 sys_mount(u64 source, u64 target, u64 type, u64 flags, u64 data, u64 unused)
{
	return mount_refuse(target);
}

#define UMOUNT_FLAGS 15u /* MNT_FORCE, MNT_DETACH, MNT_EXPIRE, UMOUNT_NOFOLLOW */

s64 sys_umount2(u64 target, u64 flags, u64 a, u64 b, u64 c, u64 d)
{
	return (u32)flags & ~UMOUNT_FLAGS ? -EINVAL : mount_refuse(target);
}

s64 sys_pivot_root(u64 new, u64 old, u64 a, u64 b, u64 c, u64 d)
{
	return -EPERM;
}
