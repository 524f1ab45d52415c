/* SPDX-License-Identifier: ISC */
/* What names and inodes ask of the rooms above them. */
#ifndef KERNEL_VFS_VFS_HOOKS_H
#define KERNEL_VFS_VFS_HOOKS_H

#include "kernel/host/host.h"
#include "kernel/vfs/walk.h"

struct fdtable;
struct inotify;
struct iovec;

/* ---- kernel/hostfs/icache.c: host-backed inodes */
struct kin_lock *icache_lock(u32 bucket); /* takes the lock of that bucket's chain */
bool icache_path_pinned(const char *path, u32 len); /* false: certainly not */
bool icache_file_pinned(u64 dev, u64 ino);
struct inode *icache_find_dir(const char *path, u32 len); /* reference or NULL */
struct inode *icache_find_file(u64 dev, u64 ino);
struct inode *icache_get(const char *path, u32 len, const struct hyp_stat *st); /* NULL: ENOSPC */
void inode_pin(struct inode *ino); /* no effect unless host-backed */
void inode_unpin(struct inode *ino);

/* ---- kernel/hostfs/dcache.c */
/* rest: components that will be wanted next ("a/b"), or "". Valid until the next call. */
s64 dcache_lookup(const char *path, u32 len, const char *rest, bool need_stat, struct dentry **out);
s64 dcache_readlink(const char *path, u32 len, const char **target);

/* ---- kernel/hostfs/handles.c: the member's private host handles */
/* of a host-backed file or directory; stays open until the cache needs room */
s64 handle_get(struct inode *ino);
/* On a volume; for access (O_RDONLY, O_WRONLY, O_RDWR). -ESTALE: the file has no name any more. */
s64 handle_get_volume(struct inode *ino, u32 access);
/* Closes those of inodes that nobody in the family uses any more. */
void handles_sweep(void);
/*
 * A member that has none of its host handles gets this file: it must be able to open it
 * (volume_pass).
 */
void file_pass(struct file *f);
void files_pass(struct fdtable *t); /* all that stay open at an exec */

/* ---- kernel/hostfs/copy_up.c */
s64 inode_copy_up(struct inode *ino, bool discard);

/* ---- kernel/volume/volume_names.c. Hypercalls: no lock of an inode may be held. */
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

/* ---- kernel/volume/volume_io.c. The same. */
s64 volume_writev(struct file *f, const struct iovec *iov, u32 n, s64 *pos);
s64 volume_write_kernel(struct inode *ino, const void *buf, size_t len, u64 pos);
s64 volume_truncate(struct inode *ino, u64 size);
s64 volume_allocate(struct inode *ino, u32 mode, u64 pos, u64 len);
s64 volume_seek(struct inode *ino, u64 pos, int whence);
s64 volume_sync(struct inode *ino, enum hyp_sync what);

/* ---- kernel/procfs/procfs.c */
s64 proc_lookup(struct inode *dir, const char *name, size_t len, struct inode **out);
/* Target of a link in /proc: a file (*jump) or text (its length in buf). */
s64 proc_link(struct inode *ino, char *buf, size_t size, struct file **jump);
s64 proc_dir_path(struct inode *dir, char *buf, size_t size);
s64 proc_dir_entry(struct inode *dir, u64 pos, char *name, u64 *ino, u32 *type, u64 *next);

/* ---- kernel/dev/dev.c, host_io.c */
s64 dev_open(struct inode *ino, u32 flags, struct file **out);
s64 random_fill(void *buf, size_t len);
/* A file of inode-less kinds opened again through /proc/self/fd. */
s64 file_reopen(struct file *f, u32 flags, struct file **out);

/* ---- kernel/tmpfs/memfd.c: how many of len bytes at pos may be written; with the inode's lock. */
u64 seals_allow_write(const struct inode *ino, u64 pos, u64 len);

/* ---- kernel/event/inotify.c. Under the watch table's lock: into the instance's ring. */
void inotify_put(struct inotify *in, s32 wd, u32 mask, u32 cookie, const char *name, u32 len);

/* ---- kernel/pipe/pipe_file.c. Named FIFO: the pipe of an inode, opened as Linux blocks. */
s64 fifo_open(struct inode *ino, u32 flags, struct file **out);

#endif
