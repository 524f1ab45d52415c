/* SPDX-License-Identifier: ISC */
/* File systems that are nothing but memory: their tables, and the attributes of their inodes. */
#include <asm/statfs.h>
#include <linux/magic.h>

#include "kernel/lib/lib.h"
#include "kernel/time/time.h"
#include "kernel/tmpfs/tmpfs.h"

void tmpfs_release(struct inode *ino)
{
	u32 mode = ino->mode;

	if (S_ISDIR(mode))
		dir_free(ino);
	else if (S_ISREG(mode))
		ref_put(OWN_OBJECT, &ino->object);
	else if (S_ISLNK(mode))
		own_free(own_take(OWN_MEMORY, &ino->link, NULL));
}

static void set_owner(struct inode *ino, u32 uid, u32 gid)
{
	if (!S_ISDIR(ino->mode) && (uid != ~0u || gid != ~0u))
		ino->mode &= ~(u32)S_ISUID & ~(ino->mode & 010 ? (u32)S_ISGID : 0);
	if (uid != ~0u)
		ino->uid = uid;
	if (gid != ~0u)
		ino->gid = gid;
}

static void set_times(struct inode *ino, const s64 *t, s64 now)
{
	if (t[0] != TIME_OMIT)
		ino->atime_ns = t[0] == TIME_NOW ? now : t[0];
	if (t[1] != TIME_OMIT)
		ino->mtime_ns = t[1] == TIME_NOW ? now : t[1];
}

s64 tmpfs_setattr(struct inode *ino, const struct inode_change *c)
{
	s64 now = (s64)time_real_ns();

	inode_pin(ino);
	if (c->what == CHANGE_MODE)
		ino->mode = (ino->mode & S_IFMT) | c->mode;
	else if (c->what == CHANGE_OWNER)
		set_owner(ino, c->uid, c->gid);
	else
		set_times(ino, c->times, now);
	ino->ctime_ns = now;
	return 0;
}

struct kin_quota *tmpfs_quota(enum inode_fs fs, u32 mount)
{
	struct kin_quota *q = fs == FS_TMP && mount ? &vfs_shared()->tmpfs[mount - 1] : NULL;

	return q && q->pages_max ? q : NULL;
}

s64 tmpfs_statfs(u32 volume, struct statfs *s)
{
	u64 used = kin_pages_used(), total = memory_total() / PAGE_SIZE;

	s->f_blocks = (s64)total;
	s->f_bfree = s->f_bavail = (s64)(total - MIN(used, total));
	s->f_files = s->f_ffree = 1 << 20;
	return 0;
}

static s64 tmp_statfs(u32 mount, struct statfs *s)
{
	struct kin_quota *q = tmpfs_quota(FS_TMP, mount);
	s64 err = tmpfs_statfs(mount, s);

	if (!err && q) {
		s->f_blocks = (s64)q->pages_max;
		s->f_bfree = s->f_bavail = (s64)(q->pages_max - MIN((u64)q->pages, q->pages_max));
	}
	return err;
}

/* Only where the root has no /tmp. */
static bool tmp_place(u32 volume, struct mount_place *p)
{
	return !volume && vfs_shared()->tmp_mounted;
}

const struct inode_ops tmp_fs = {
	.name = "tmpfs",
	.magic = TMPFS_MAGIC,
	.xattrs = true,
	.place = {FS_ROOT, MOUNT_NOSUID | MOUNT_NODEV, "tmpfs", "/tmp", ""},
	.place_at = tmp_place,
	.statfs = tmp_statfs,
	TMPFS_OPERATIONS,
};

const struct inode_ops shm_fs = {
	.name = "tmpfs",
	.magic = TMPFS_MAGIC,
	.xattrs = true,
	.place = {FS_DEV, MOUNT_NOSUID | MOUNT_NODEV, "shm", "/dev/shm", ""},
	.statfs = tmpfs_statfs,
	TMPFS_OPERATIONS,
};

/* Files without a name: memfd.c. */
const struct inode_ops memfd_fs = {
	.name = "tmpfs",
	.magic = TMPFS_MAGIC,
	.xattrs = true,
	.statfs = tmpfs_statfs,
	TMPFS_OPERATIONS,
};

const struct inode_ops sys_fs = {
	.name = "sysfs",
	.magic = SYSFS_MAGIC,
	.place = {FS_ROOT, MOUNT_RDONLY | MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC | MOUNT_RELATIME,
			  "sysfs", "/sys", ""},
	TMPFS_OPERATIONS,
};
