/* SPDX-License-Identifier: ISC */
/*
 * Host handles of this member, opened on demand by path and kept for the next use. Private memory:
 * a clone inherits the host's descriptors together with these tables. Bounded; the one unused for
 * longest is closed.
 *
 * Files of the root are known by the host's (dev, ino) and may be opened again at any time. Those
 * of a volume belong to an inode: what is open in this member has its handle here and keeps it when
 * it loses its name; opened again it must be the same file. A handle whose inode is no longer in
 * use anywhere in the family is closed at the next sweep.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/fs/volume.h"

#define HANDLES 64
#define VOLUME_HANDLES 640

static struct {
	u64 dev, ino, used;
	s32 handle; /* valid if used */
} handles[HANDLES];
static struct {
	struct inode *inode;
	u64 serial, used;
	u32 access;
	s32 handle; /* valid if used */
} volume_handles[VOLUME_HANDLES];
static u32 volume_count; /* entries from here on were never used */
static u64 uses;

s64 handle_get(struct inode *ino)
{
	struct hyp_stat st;
	u32 victim = 0;

	if (on_volume(ino))
		return handle_get_volume(ino, O_RDONLY);
	for (u32 i = 0; i < HANDLES; i++) {
		if (handles[i].used && handles[i].ino == ino->ino && handles[i].dev == ino->dev) {
			handles[i].used = ++uses;
			return handles[i].handle;
		}
		if (handles[i].used < handles[victim].used)
			victim = i;
	}
	const char *path = ino->lower_path;
	while (*path == '/')
		path++;
	s64 handle = host_fs_open(0, *path ? path : ".",
							  S_ISDIR(ino->mode) ? O_RDONLY | O_DIRECTORY : O_RDONLY, 0, &st);
	if (handle < 0)
		return handle;
	if (handles[victim].used)
		host_fs_close(handles[victim].handle);
	handles[victim].dev = ino->dev;
	handles[victim].ino = ino->ino;
	handles[victim].handle = (s32)handle;
	handles[victim].used = ++uses;
	return handle;
}

static bool mine(u32 i, const struct inode *ino)
{
	return volume_handles[i].used && volume_handles[i].inode == ino &&
		   volume_handles[i].serial == ino->serial;
}

int handle_find(struct inode *ino)
{
	for (u32 i = 0; i < volume_count; i++)
		if (mine(i, ino))
			return volume_handles[i].handle;
	return -1;
}

static void drop(u32 i)
{
	host_fs_close(volume_handles[i].handle);
	volume_handles[i].used = 0;
}

/* The memory of an inode stays mapped when it is freed, and its serial number is then another. */
void handles_sweep(void)
{
	for (u32 i = 0; i < volume_count; i++)
		if (volume_handles[i].used && volume_handles[i].inode->serial != volume_handles[i].serial)
			drop(i);
}

void handle_add(struct inode *ino, u32 access, int handle)
{
	u32 at = 0;

	handles_sweep();
	while (at < volume_count && volume_handles[at].used)
		at++;
	if (at == VOLUME_HANDLES) {
		at = 0;
		for (u32 i = 1; i < VOLUME_HANDLES; i++)
			if (volume_handles[i].used < volume_handles[at].used)
				at = i;
		drop(at);
	} else if (at == volume_count) {
		volume_count++;
	}
	volume_handles[at].inode = ino;
	volume_handles[at].serial = ino->serial;
	volume_handles[at].access = access;
	volume_handles[at].handle = handle;
	volume_handles[at].used = ++uses;
}

static bool covers(u32 have, u32 want)
{
	return have == O_RDWR || have == want;
}

s64 handle_get_volume(struct inode *ino, u32 access)
{
	struct hyp_stat st;

	for (u32 i = 0; i < volume_count; i++) {
		if (mine(i, ino) && covers(volume_handles[i].access, access)) {
			volume_handles[i].used = ++uses;
			return volume_handles[i].handle;
		}
	}
	const char *path = volume_path(ino, NULL, 0);
	if (!path)
		return -ENAMETOOLONG;
	s64 handle = host_fs_open(ino->volume, path, (int)access, 0, &st);
	if (handle < 0)
		return handle == -ENOENT ? -ESTALE : handle;
	if (st.ino != ino->ino || st.dev != ino->dev || st.btime_ns != ino->btime_ns) {
		host_fs_close((int)handle);
		return -ESTALE;
	}
	handle_add(ino, access, (int)handle);
	return handle;
}

void handles_reset(void)
{
	for (u32 i = 0; i < HANDLES; i++)
		handles[i].used = 0;
	volume_count = 0;
}
