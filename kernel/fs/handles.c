/* SPDX-License-Identifier: ISC */
/*
 * Host handles of this member, opened on demand by path and kept for the next use under the
 * host's (dev, ino). Private memory: a clone inherits the host's descriptors together with this
 * table. Bounded; the one unused for longest is closed.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/fs/inode.h"
#include "kernel/host/host.h"

#define HANDLES 64

static struct {
	u64 dev, ino, used;
	s32 handle; /* valid if used */
} handles[HANDLES];
static u64 uses;

s64 handle_get(struct inode *ino)
{
	u32 victim = 0;

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
	s64 handle =
		host_fs_open(*path ? path : ".", S_ISDIR(ino->mode) ? O_RDONLY | O_DIRECTORY : O_RDONLY);
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

void handles_reset(void)
{
	for (u32 i = 0; i < HANDLES; i++)
		handles[i].used = 0;
}
