/* SPDX-License-Identifier: ISC */
/* The table of file systems: each row is in the folder that knows it. */
#include "kernel/vfs/inode_ops.h"

extern const struct inode_ops root_fs, proc_fs, dev_fs, devpts_fs;
extern const struct inode_ops shm_fs, sys_fs, tmp_fs, memfd_fs, volume_fs;

const struct inode_ops *const file_systems[FS_KINDS] = {
	[FS_ROOT] = &root_fs,
	[FS_PROC] = &proc_fs,
	[FS_DEV] = &dev_fs,
	[FS_DEVPTS] = &devpts_fs,
	[FS_SHM] = &shm_fs,
	[FS_SYS] = &sys_fs,
	[FS_TMP] = &tmp_fs,
	[FS_MEMFD] = &memfd_fs,
	[FS_VOLUME] = &volume_fs,
};
