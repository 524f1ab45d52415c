/* SPDX-License-Identifier: ISC */
/*
 * Host handles of this member, opened on demand by path and kept for the next use. Private memory:
 * a clone inherits the host's descriptors together with these tables. Bounded; the one unused for
 * longest is closed.
 *
 * Files of the root are known by the host's (dev, ino) and may be opened again at any time. Those
 * of a volume belong to an inode: what is open in this member has its handle here and keeps it when
 * it loses its name; opened again it must be the same file. A handle whose inode is no longer in
 * use anywhere in the family is closed at the next sweep. A file that was passed on to a member
 * that did not inherit its handle is put on the family's shelf (monitor/supervisor/shelf.c) as long
 * as it cannot be opened by its name.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/host/host.h"
#include "kernel/hostfs/hostfs.h"
#include "kernel/hostfs/hostfs_hooks.h"
#include "kernel/vfs/keeper.h"

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
	bool kept;  /* it is on the shelf */
} volume_handles[VOLUME_HANDLES];
static u32 volume_count; /* entries from here on were never used */
static u64 uses;

s64 handle_get(struct inode *ino)
{
	struct hyp_stat st;
	u32 victim = 0;

	if (ino->volume)
		return handle_get_volume(ino, O_RDONLY);
	for (u32 i = 0; i < HANDLES; i++) {
		if (handles[i].used && handles[i].ino == ino->ino && handles[i].dev == ino->dev) {
			handles[i].used = ++uses;
			return handles[i].handle;
		}
		if (handles[i].used < handles[victim].used)
			victim = i;
	}
	const char *path = lower_path(ino);
	while (*path == '/')
		path++;
	s64 handle = host_fs_open(0, *path ? path : ".",
							  S_ISDIR(ino->mode) ? O_RDONLY | O_DIRECTORY : O_RDONLY, &st);
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
	if (vfs_shared()->shelf_stale && atomic_exchange(&vfs_shared()->shelf_stale, 0))
		keeper_take(NULL, 0, 0);
}

/* Can it be had again once it is closed? What has lost its last name only from the shelf. */
static bool reopens(u32 i)
{
	return volume_handles[i].inode->nlink || volume_handles[i].kept;
}

/* Free, or used by what can be opened again, unused for longest; VOLUME_HANDLES: neither. */
static u32 slot_find(void)
{
	u32 at = 0, best = VOLUME_HANDLES;

	handles_sweep();
	while (at < volume_count && volume_handles[at].used)
		at++;
	for (u32 i = 0; at == VOLUME_HANDLES && i < VOLUME_HANDLES; i++)
		if (reopens(i) &&
			(best == VOLUME_HANDLES || volume_handles[i].used < volume_handles[best].used))
			best = i;
	return at < VOLUME_HANDLES ? at : best;
}

bool handles_full(void)
{
	return slot_find() == VOLUME_HANDLES;
}

int handle_add(struct inode *ino, u32 access, int handle)
{
	u32 at = slot_find();

	if (at == VOLUME_HANDLES) { /* since handles_full another member took a last name away */
		host_fs_close(handle);
		return -ENFILE;
	}
	if (at == volume_count)
		volume_count++;
	else if (volume_handles[at].used)
		drop(at);
	volume_handles[at].inode = ino;
	volume_handles[at].serial = ino->serial;
	volume_handles[at].access = access;
	volume_handles[at].handle = handle;
	volume_handles[at].kept = false;
	volume_handles[at].used = ++uses;
	return 0;
}

static bool covers(u32 have, u32 want)
{
	return have == O_RDWR || have == want;
}

static bool is_of(const struct inode *ino, const struct hyp_stat *st)
{
	return st->ino == ino->ino && st->dev == ino->dev && st->btime_ns == ino->btime_ns;
}

/* By its place, or from the shelf. -ESTALE: neither has it. */
static s64 handle_open(struct inode *ino, u32 access)
{
	const char *path = volume_path(ino, NULL, 0);
	struct hyp_stat st;
	s64 handle;

	if (!path)
		return -ENAMETOOLONG;
	handle = host_fs_open(ino->volume, path, (int)access, &st);
	if (handle >= 0 && is_of(ino, &st))
		return handle;
	s64 err = handle < 0 && handle != -ENOENT ? handle : -ESTALE;
	if (handle >= 0)
		host_fs_close((int)handle);
	if (!inode_is(ino, INODE_KEPT))
		return err;
	handle = keeper_take(&ino->serial, ino->serial, access);
	if (handle < 0)
		return err;
	if (!host_fs_fstat((int)handle, &st) && is_of(ino, &st))
		return handle;
	host_fs_close((int)handle);
	return -ESTALE;
}

s64 handle_get_volume(struct inode *ino, u32 access)
{
	for (u32 i = 0; i < volume_count; i++) {
		if (mine(i, ino) && covers(volume_handles[i].access, access)) {
			volume_handles[i].used = ++uses;
			return volume_handles[i].handle;
		}
	}
	s64 handle = handles_full() ? -ENFILE : handle_open(ino, access);
	s64 err = handle < 0 ? handle : handle_add(ino, access, (int)handle);
	return err ? err : handle;
}

/* All that this member has open of it. If the shelf is full, others will find the file lost. */
static void keep_all(struct inode *ino)
{
	for (u32 i = 0; i < volume_count; i++) {
		if (!mine(i, ino) || volume_handles[i].kept ||
			keeper_keep(volume_handles[i].handle, &ino->serial, ino->serial,
						  volume_handles[i].access))
			continue;
		volume_handles[i].kept = true;
		ino->flags |= INODE_KEPT;
	}
}

void volume_keep(struct inode *ino)
{
	if (!inode_is(ino, INODE_PASSED))
		return;
	if (handle_get_volume(ino, O_RDWR) < 0)
		handle_get_volume(ino, O_RDONLY);
	keep_all(ino);
}

void volume_pass(struct inode *ino)
{
	struct hyp_stat st;

	if (!S_ISREG(ino->mode))
		return;
	ino->flags |= INODE_PASSED;
	const char *path = volume_path(ino, NULL, 0);
	if (!path || host_fs_stat(ino->volume, path, &st) || !is_of(ino, &st))
		keep_all(ino);
}

void handles_reset(void)
{
	for (u32 i = 0; i < HANDLES; i++)
		handles[i].used = 0;
	volume_count = 0;
}
