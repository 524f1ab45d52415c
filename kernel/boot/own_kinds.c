/* SPDX-License-Identifier: ISC */
/* The table of what can be owned in kin (own.h): each row is in the file that knows the object. */
#include "kernel/fd/fdtable.h"

extern const struct own_ops pipe_own_ops, object_own_ops;
extern const struct own_ops passed_own_ops, msg_own_ops, socket_own_ops, conn_own_ops;
extern const struct own_ops writer_own_ops, executor_own_ops, epoll_own_ops;
extern const struct own_ops inode_own_ops, dirent_own_ops;

const struct own_ops *const own_kinds[OWN_KINDS] = {
	[OWN_MEMORY] = &memory_own_ops,
	[OWN_FILE] = &file_own_ops,
	[OWN_TABLE] = &fdtable_own_ops,
	[OWN_PIPE] = &pipe_own_ops,
	[OWN_OBJECT] = &object_own_ops,
	[OWN_PASSED] = &passed_own_ops,
	[OWN_MSG] = &msg_own_ops,
	[OWN_SOCKET] = &socket_own_ops,
	[OWN_CONN] = &conn_own_ops,
	[OWN_EPOLL] = &epoll_own_ops,
	[OWN_WRITER] = &writer_own_ops,
	[OWN_EXECUTOR] = &executor_own_ops,
	[OWN_INODE] = &inode_own_ops,
	[OWN_NAME] = &dirent_own_ops,
};
