/* SPDX-License-Identifier: ISC */
/*
 * The table of file types: each is a const table of operations in the file that knows the type.
 */
#include "kernel/vfs/vfs.h"

extern const struct file_ops shm_file_ops, mqueue_file_ops;
extern const struct file_ops pipe_file_ops, eventfd_file_ops, epoll_file_ops;
extern const struct file_ops inode_file_ops, dir_file_ops, host_io_file_ops, dev_file_ops;
extern const struct file_ops proc_file_ops, socket_file_ops, signalfd_file_ops, timerfd_file_ops;
extern const struct file_ops pidfd_file_ops, pty_file_ops, inotify_file_ops;

static const struct file_ops path_file_ops = {.name = "path"};

const struct file_ops *const file_ops[FILE_TYPES] = {
	[FILE_NONE] = &path_file_ops,
	[FILE_PIPE] = &pipe_file_ops,
	[FILE_INODE] = &inode_file_ops,
	[FILE_DIR] = &dir_file_ops,
	[FILE_HOST_IO] = &host_io_file_ops,
	[FILE_DEV] = &dev_file_ops,
	[FILE_PROC] = &proc_file_ops,
	[FILE_SOCKET] = &socket_file_ops,
	[FILE_EVENTFD] = &eventfd_file_ops,
	[FILE_EPOLL] = &epoll_file_ops,
	[FILE_SIGNALFD] = &signalfd_file_ops,
	[FILE_TIMERFD] = &timerfd_file_ops,
	[FILE_PIDFD] = &pidfd_file_ops,
	[FILE_PATH] = &opath_file_ops,
	[FILE_SHM] = &shm_file_ops,
	[FILE_MQUEUE] = &mqueue_file_ops,
	[FILE_PTY] = &pty_file_ops,
	[FILE_INOTIFY] = &inotify_file_ops,
};
