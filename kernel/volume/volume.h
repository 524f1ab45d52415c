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
/* volume_path: kernel/hostfs/hostfs_hooks.h. */
s64 volume_lookup(struct walk *w, const char *name, u32 n, const char *rest);
void volume_refresh(struct inode *ino); /* asks the host for the attributes */
s64 volume_readlink(struct inode *ino, const char **target);
s64 volume_create(struct walk *w, u32 mode, const char *target, struct inode **out);
/* O_TMPFILE in dir. *out: a reference. */
s64 volume_create_nameless(struct inode *dir, u32 mode, bool exclusive, struct inode **out);
s64 volume_link(struct inode *ino, struct walk *w);
s64 volume_unlink(struct walk *w, u32 flags);
s64 volume_rename(struct walk *from, struct walk *to, u32 flags);
s64 volume_set_mode(struct inode *ino, u32 mode);
s64 volume_set_owner(struct inode *ino, u32 uid, u32 gid);
s64 volume_set_times(struct inode *ino, const s64 *times); /* sec, nsec twice, as utimensat */

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

/* ---- volume_io.c */
s64 volume_writev(struct file *f, const struct iovec *iov, u32 n, s64 *pos);
s64 volume_write_kernel(struct inode *ino, const void *buf, size_t len, u64 pos);
s64 volume_truncate(struct inode *ino, u64 size);
s64 volume_allocate(struct inode *ino, u32 mode, u64 pos, u64 len);
s64 volume_seek(struct inode *ino, u64 pos, int whence);
s64 volume_sync(struct inode *ino, enum hyp_sync what);

#endif
