/* SPDX-License-Identifier: ISC */
/*
 * Files on volumes: host directories that the family shares read-write. Their inodes (inode.h) only
 * stand for what the host has; here is what differs from files in kin. All calls are hypercalls, so
 * no lock of inode.h may be held.
 */
#ifndef KERNEL_VOLUME_VOLUME_H
#define KERNEL_VOLUME_VOLUME_H

#include "kernel/host/host.h"
#include "kernel/hostfs/hostfs.h"

/* ---- volume_names.c */
void volumes_init(void);
/* What names and inodes ask of volumes: kernel/vfs/vfs_hooks.h; volume_path: hostfs_hooks.h. */

/*
 * ---- volume_ask.c: the supervisor's work, see abi/kin.h. Paths are the host's, below the volume.
 * 0 or -errno; make of a regular file, tmpfile and take: a handle or -errno.
 */
s64 volume_ask_mode(u32 tree, const char *path, u32 mode);
s64 volume_ask_owner(u32 tree, const char *path, u32 uid, u32 gid);
s64 volume_ask_times(u32 tree, const char *path, const s64 *times);
s64 volume_ask_make(u32 tree, const char *path, u32 mode);
s64 volume_ask_symlink(u32 tree, const char *path, const char *target);
s64 volume_ask_tmpfile(u32 tree, const char *path, u32 mode, bool exclusive);
s64 volume_ask_link(u32 tree, const char *path, const char *new_path);
s64 volume_ask_name(u32 tree, const char *path, int handle);
s64 volume_ask_unlink(u32 tree, const char *path, u32 flags);
s64 volume_ask_rename(u32 tree, const char *path, const char *new_path, u32 flags);
/* volume_ask_keep, volume_ask_take: hostfs_hooks.h. */

#endif
