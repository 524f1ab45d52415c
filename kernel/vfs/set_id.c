/* SPDX-License-Identifier: ISC */
/* set_id.h: read from the inode at exec, once. */
#include "kernel/vfs/set_id.h"

#include <asm/errno.h>
#include <linux/capability.h>

#include "kernel/lib/lib.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/mounts.h"

/* The value of security.capability: Linux's, in little-endian words. */
static void caps_read(struct inode *ino, struct file_set_id *out)
{
	struct vfs_ns_cap_data caps;
	s64 n = xattr_get_kernel(ino, XATTR_CAPS, &caps, sizeof(caps));
	u32 revision = caps.magic_etc & VFS_CAP_REVISION_MASK;

	if (n != XATTR_CAPS_SZ_2 && n != XATTR_CAPS_SZ_3)
		return;
	if (n == XATTR_CAPS_SZ_2 ? revision != VFS_CAP_REVISION_2
							 : revision != VFS_CAP_REVISION_3 || caps.rootid)
		return;
	out->has_caps = true;
	out->effective = caps.magic_etc & VFS_CAP_FLAGS_EFFECTIVE;
	out->permitted = caps.data[0].permitted | (u64)caps.data[1].permitted << 32;
	out->inheritable = caps.data[0].inheritable | (u64)caps.data[1].inheritable << 32;
}

void file_set_id(struct file *f, struct file_set_id *out)
{
	struct inode *ino = f->inode;

	*out = (struct file_set_id){.readable = true};
	if (!ino)
		return;
	out->readable = access_inode(ino, MAY_READ) == 0;
	if (mount_flags(ino->fs, ino->volume) & MOUNT_NOSUID)
		return;
	out->uid = ino->uid;
	out->gid = ino->gid;
	out->set_uid = ino->mode & S_ISUID;
	/* Without the x bit the set-group-ID bit once meant mandatory locking. */
	out->set_gid = (ino->mode & (S_ISGID | 0010)) == (S_ISGID | 0010);
	if (ino->xattrs)
		caps_read(ino, out);
}
