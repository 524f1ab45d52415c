/* SPDX-License-Identifier: ISC */
/* Volumes as a file system: the table, and what the host says of directories and of the whole. */
#include <asm/statfs.h>

#include "kernel/lib/lib.h"
#include "kernel/vfs/readdir.h"
#include "kernel/volume/volume.h"

static void volume_release(struct inode *ino)
{
	if (inode_is(ino, INODE_KEPT))
		vfs_shared()->shelf_stale = 1;
}

static bool volume_read_only(const struct inode *ino)
{
	return KIN->volumes[ino->volume - 1].read_only;
}

/*
 * A volume has a number of its own, so that programs see where one file system ends; not for mounts
 * below it.
 */
static u64 volume_device(const struct inode *ino)
{
	const struct inode *root = vfs_shared()->volumes[ino->volume - 1];

	return root && ino->dev != root->dev ? ino->dev : inode_device(FS_VOLUME) + ino->volume;
}

static bool volume_place(u32 volume, struct mount_place *p)
{
	static char source[16];

	if (!volume || volume > vfs_shared()->volume_count)
		return false;
	ksnprintf(source, sizeof(source), "volume%u", volume - 1);
	p->source = source;
	p->path = KIN->volumes[volume - 1].path;
	p->dev = inode_device(FS_VOLUME) + volume;
	if (KIN->volumes[volume - 1].read_only)
		p->flags |= MOUNT_RDONLY;
	return true;
}

static s64 volume_statfs(u32 volume, struct statfs *s)
{
	return host_vol_statfs(volume, s, sizeof(*s));
}

static void volume_stat(struct inode *ino, struct kstat *st)
{
	st->blocks = ino->lower_blocks;
}

struct listing {
	struct inode *dir;
	struct filler *fill;
};

/* Positions are the host's own. */
static bool list_entry(void *arg, struct host_dirent *d)
{
	struct listing *l = arg;
	bool up = inode_is(l->dir, INODE_MOUNT) && !strcmp(d->name, "..");
	u64 ino = up ? inode_parent_number(l->dir) : d->ino;

	return list_emit(l->fill, d->name, strlen(d->name), ino, d->type, (u64)d->off);
}

static s64 volume_list(struct file *f, struct filler *fill, u64 pos)
{
	struct listing l = {f->inode, fill};

	return host_entries(f->inode, &pos, list_entry, &l);
}

const struct inode_ops volume_fs = {
	.name = "unifork",
	.place = {FS_ROOT, MOUNT_RELATIME, NULL, NULL, ""},
	.place_at = volume_place,
	.statfs = volume_statfs,
	.read_only = volume_read_only,
	.device = volume_device,
	.release = volume_release,
	.leave = icache_leave,
	.lookup = volume_lookup,
	.readlink = volume_readlink,
	.list = volume_list,
	.create = volume_create,
	.create_nameless = volume_create_nameless,
	.link = volume_link,
	.unlink = volume_unlink,
	.rename = volume_rename,
	.name_of = volume_name_of,
	.refresh = volume_refresh,
	.stat = volume_stat,
	.setattr = volume_setattr,
	.open = volume_open,
	.closed = handles_sweep,
	.pass = volume_pass,
	.read = volume_read,
	.writev = volume_writev,
	.write_kernel = volume_write_kernel,
	.truncate = volume_truncate,
	.allocate = volume_allocate,
	.seek = volume_seek,
	.sync = volume_sync,
	.map = volume_map,
	.map_shared = volume_map_shared,
};
