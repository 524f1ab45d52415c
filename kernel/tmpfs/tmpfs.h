/* SPDX-License-Identifier: ISC */
/*
 * Files whose names and contents lie in kin. /tmp, /dev/shm, memfd and /sys are just that; /dev,
 * and what the family writes over the root, are that and something more, and use these operations
 * for it. What each operation does: kernel/vfs/inode_ops.h.
 */
#ifndef KERNEL_TMPFS_TMPFS_H
#define KERNEL_TMPFS_TMPFS_H

#include "kernel/vfs/inode_ops.h"

/* ---- tmpfs_names.c, tmpfs_rename.c. All heed walk.below. */
s64 tmpfs_lookup(struct walk *w, const char *name, u32 len, const char *rest);
/* Is there an entry in w->dir? Then walk_found. hidden: a whiteout. */
bool tmpfs_entry(struct walk *w, const char *name, u32 len, bool *hidden);
s64 tmpfs_readlink(struct walk *w, char *buf, const char **target, struct file **jump);
s64 tmpfs_list(struct file *f, struct filler *fill, u64 pos);
/* Entries from number seq on, each with the position base + number + 1 behind it. */
void tmpfs_list_entries(struct inode *dir, struct filler *fill, u64 seq, u64 base);
s64 tmpfs_create(struct walk *w, u32 mode, u64 rdev, const char *target, struct inode **out);
s64 tmpfs_create_nameless(struct inode *dir, u32 mode, bool exclusive, struct inode **out);
s64 tmpfs_link(struct inode *ino, struct walk *w);
s64 tmpfs_unlink(struct walk *w, bool dir);
s64 tmpfs_rename(struct rename *r);

/* ---- tmpfs_io.c */
s64 tmpfs_read(struct inode *ino, u64 buf, size_t len, u64 pos, bool user);
s64 tmpfs_writev(struct file *f, const struct iovec *iov, u32 n, s64 *pos);
s64 tmpfs_write_kernel(struct inode *ino, const void *buf, size_t len, u64 pos);
s64 tmpfs_truncate(struct inode *ino, u64 size);
s64 tmpfs_allocate(struct inode *ino, u32 mode, u64 pos, u64 len);
s64 tmpfs_seek(struct inode *ino, u64 pos, int whence);
void tmpfs_stat(struct inode *ino, struct kstat *st);
struct kin_object *tmpfs_object(struct inode *ino);

/* ---- memfd.c: how many of len bytes at pos may be written; with the inode's lock. */
u64 seals_allow_write(const struct inode *ino, u64 pos, u64 len);

/* ---- tmpfs.c */
void tmpfs_release(struct inode *ino);
/* Of one that --tmpfs has bounded, or NULL. */
struct kin_quota *tmpfs_quota(enum inode_fs fs, u32 mount);
s64 tmpfs_setattr(struct inode *ino, const struct inode_change *c);
s64 tmpfs_statfs(u32 volume, struct statfs *s);

/* Of a table that has all of this as it is. */
#define TMPFS_OPERATIONS                                                                    \
	.release = tmpfs_release, .lookup = tmpfs_lookup, .readlink = tmpfs_readlink,           \
	.list = tmpfs_list, .create = tmpfs_create, .create_nameless = tmpfs_create_nameless,   \
	.link = tmpfs_link, .unlink = tmpfs_unlink, .rename = tmpfs_rename, .stat = tmpfs_stat, \
	.setattr = tmpfs_setattr, .read = tmpfs_read, .writev = tmpfs_writev,                   \
	.write_kernel = tmpfs_write_kernel, .truncate = tmpfs_truncate,                         \
	.allocate = tmpfs_allocate, .seek = tmpfs_seek, .object = tmpfs_object

#endif
