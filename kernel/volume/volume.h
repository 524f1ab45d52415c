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
/* Operations of inode_ops.h; volume_path: hostfs_hooks.h. */
s64 volume_lookup(struct walk *w, const char *name, u32 n, const char *rest);
s64 volume_readlink(struct walk *w, char *buf, const char **target, struct file **jump);
s64 volume_create(struct walk *w, u32 mode, u64 rdev, const char *target, struct inode **out);
s64 volume_create_nameless(struct inode *dir, u32 mode, bool exclusive, struct inode **out);
s64 volume_link(struct inode *ino, struct walk *w);
s64 volume_unlink(struct walk *w, bool dir);
s64 volume_rename(struct rename *r);
const char *volume_name_of(struct inode *dir, u32 *len);
void volume_refresh(struct inode *ino);
s64 volume_setattr(struct inode *ino, const struct inode_change *c);

/* ---- volume_io.c. The same. */
s64 volume_open(struct inode *ino, u32 access);
s64 volume_read(struct inode *ino, u64 buf, size_t len, u64 pos, bool user);
s64 volume_writev(struct file *f, const struct iovec *iov, u32 n, s64 *pos);
s64 volume_write_kernel(struct inode *ino, const void *buf, size_t len, u64 pos);
s64 volume_truncate(struct inode *ino, u64 size);
s64 volume_allocate(struct inode *ino, u32 mode, u64 pos, u64 len);
s64 volume_seek(struct inode *ino, u64 pos, int whence);
s64 volume_sync(struct inode *ino, enum hyp_sync what);
s64 volume_map(struct inode *ino, u64 va, u64 len, int prot, u64 offset);
s64 volume_map_shared(struct inode *ino, u32 access, u64 va, u64 len, int prot, u64 offset);

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

#endif
