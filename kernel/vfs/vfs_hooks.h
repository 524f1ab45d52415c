/* SPDX-License-Identifier: ISC */
/* What names and inodes ask of the rooms above them, beside the tables of inode_ops.h. */
#ifndef KERNEL_VFS_VFS_HOOKS_H
#define KERNEL_VFS_VFS_HOOKS_H

#include "common/types.h"

struct file;
struct inode;
struct inotify;

/* ---- kernel/dev/dev.c, host_io.c */
s64 random_fill(void *buf, size_t len);
/* A file of inode-less kinds opened again through /proc/self/fd. */
s64 file_reopen(struct file *f, u32 flags, struct file **out);

/* ---- kernel/net/host_handle.c: a socket gets to a member that has no handle of it. */
void socket_pass(struct file *f);

/* ---- kernel/event/inotify.c. Under the watch table's lock: into the instance's ring. */
void inotify_put(struct inotify *in, s32 wd, u32 mask, u32 cookie, const char *name, u32 len);

/*
 * ---- kernel/net/netlink.c. A message queue's notice for a netlink socket; bytes NULL: may f be
 * one that is told? 0, -ENOTSOCK, -EINVAL, -ENOBUFS
 */
s64 netlink_tell(struct file *f, const void *bytes, u32 len);

/* ---- kernel/pipe/pipe_file.c. Named FIFO: the pipe of an inode, opened as Linux blocks. */
s64 fifo_open(struct inode *ino, u32 flags, struct file **out);

#endif
