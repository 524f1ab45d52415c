/* SPDX-License-Identifier: ISC */
/* What descriptors and their system calls ask of rooms above them. */
#ifndef KERNEL_FD_FD_HOOKS_H
#define KERNEL_FD_FD_HOOKS_H

#include "common/types.h"

struct file;

/* kernel/vfs/file_lock.c: fcntl F_SETLK, F_SETLKW, F_GETLK and the F_OFD_ ones. */
s64 lock_fcntl(struct file *f, u32 cmd, u64 arg);
/* The same: a process closes a descriptor of the file, and loses its locks on it. */
void locks_close(struct file *f, s32 pid);
/* The same: the description goes, and its locks with it. May be repeated. */
void locks_release_file(struct file *f);

/* kernel/vfs/notify.c: IN_*, to the file itself, and to the directory in which it was opened. */
void notify_file(struct file *f, u32 mask);

/* kernel/vfs/open.c: may F_SETFL give f these flags? 0 or -EPERM. */
s64 file_setfl_check(struct file *f, u32 flags);
s64 write_hint_fcntl(struct file *f, u32 cmd, u64 arg); /* F_GET_RW_HINT, F_SET_RW_HINT */
s64 file_clone_check(struct file *to, u64 from); /* FICLONE of a descriptor */

/* kernel/tmpfs/memfd.c: F_ADD_SEALS, F_GET_SEALS: -EINVAL unless a memfd (or in /dev/shm). */
s64 seals_fcntl(struct file *f, u32 cmd, u64 arg);

/* kernel/pipe/pipe_file.c: F_GETPIPE_SZ and F_SETPIPE_SZ; -EBADF if f is no pipe. */
s64 pipe_fcntl(struct file *f, u32 cmd, u64 arg);

/* kernel/event/epoll.c: the last reference to f goes, and there is interest in it. */
void epoll_file_gone(struct file *f);

/* kernel/vfs/lease.c: F_SETLEASE, F_GETLEASE; fd is f here. */
s64 lease_fcntl(struct file *f, s32 fd, u32 cmd, u64 arg);
/* The same: the description goes, and its lease with it. May be repeated. */
void lease_release(struct file *f);

/* kernel/net/host_handle.c: a process closes a descriptor of f, whoever has others. */
void sockets_closed(struct file *f);
/*
 * The same: this member waits for an epoll, which may be its parent's: it has to hear of what its
 * parent watched.
 */
void sockets_rewatch(void);

/* kernel/vfs/dnotify.c: F_NOTIFY; fd is f here. */
s64 dnotify_fcntl(struct file *f, s32 fd, u64 arg);
/* The same: pid closes a descriptor of f; the description goes. Both may be repeated. */
void dnotify_close(struct file *f, s32 pid);
void dnotify_release(struct file *f);

/* kernel/tty/pty.c: the foreground process group of a FILE_PTY that is a slave, or 0. */
s32 terminal_foreground(struct file *f);

#endif
