/* SPDX-License-Identifier: ISC */
/*
 * Paths and inodes: a read-only host root under a writable layer in kin, /proc, /dev, /tmp.
 * Inodes live in kin; the host handle of a host file is a member's own and opened on demand by
 * path.
 */
#ifndef KERNEL_VFS_VFS_H
#define KERNEL_VFS_VFS_H

#include "kernel/fd/file.h"

#define VFS_PATH_MAX 4096

/*
 * Operations of the file types that live here, for file_ops[] in file.c (opath: FILE_PATH). read
 * and write advance *pos themselves. release drops the inode, too; it may be repeated.
 */
extern const struct file_ops inode_file_ops, dir_file_ops, dev_file_ops, proc_file_ops;
extern const struct file_ops host_io_file_ops, opath_file_ops;

void inode_get(struct inode *ino);
void inode_put(struct inode *ino); /* NULL is allowed */
void xattrs_free(struct inode *ino); /* with the inode */

struct kstat {
	u64 dev, ino, rdev, size, blocks, blksize;
	u32 mode, nlink, uid, gid;
	s64 atime_ns, mtime_ns, ctime_ns, btime_ns;
	bool read_only; /* it lies where nothing can be changed */
};

/* Private per process, cloned by fork. cwd is absolute and normalised. */
struct fs_context {
	char cwd[VFS_PATH_MAX];
	struct inode *cwd_inode; /* reference */
	struct inode *root;      /* chroot: reference, or NULL */
	u32 umask;
};

void vfs_init(void);   /* first member: the tree in kin */
void vfs_attach(void); /* every member: private caches */
struct fs_context *fs_context_create(const char *cwd);
s64 fs_directory_check(const char *path); /* 0, or -errno: it is none */
struct fs_context *fs_context_clone(const struct fs_context *c);
void fs_context_release(struct fs_context *c);
/*
 * fork: the clone has a copy of c; called in the parent before, takes the references of that
 * copy. abort: gives them back.
 */
void fs_context_fork(struct fs_context *c);
void fs_context_fork_abort(struct fs_context *c);

/* path: kernel memory. Follows links; dirfd AT_FDCWD or a descriptor. *out has one reference. */
s64 vfs_open(int dirfd, const char *path, u32 flags, u32 mode, struct file **out);
s64 vfs_stat(int dirfd, const char *path, u32 at_flags, struct kstat *st);
/*
 * A member that has none of its host handles gets this file: it must be able to open it
 * (volume.h).
 */
void file_pass(struct file *f);
void files_pass(struct fdtable *t); /* all that stay open at an exec */
/* The family's standard descriptors 0, 1, 2 as FILE_HOST_IO files. */
struct file *host_io_file(int handle);

/* fcntl F_SETLK, F_SETLKW, F_GETLK and the F_OFD_ ones; arg is the application's struct flock. */
s64 lock_fcntl(struct file *f, u32 cmd, u64 arg);
/* fcntl F_ADD_SEALS, F_GET_SEALS: -EINVAL unless f is a memfd (or in /dev/shm). */
s64 seals_fcntl(struct file *f, u32 cmd, u64 arg);
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif
/* How many of len bytes at pos may be written; with the inode's lock. */
u64 seals_allow_write(const struct inode *ino, u64 pos, u64 len);
/* May it be mapped shared? 1: yes; 0: but never become writable; -EPERM. */
s64 seals_allow_map(const struct file *f, bool writes);

/* For exec and mmap. Sizes in bytes; results bytes or -errno. */
s64 file_pread_kernel(struct file *f, void *buf, size_t len, u64 pos);
/* 0, -EACCES: regular file with an x bit for the caller */
s64 file_may_exec(struct file *f);
/* Nobody may open it for writing until file_allow_write or the file's end. 0 or -ETXTBSY. */
s64 file_deny_write(struct file *f);
void file_allow_write(struct file *f);
/*
 * Map file pages privately at [va, +len) (host file: shared with the host's page cache; tmpfs:
 * copied).
 */
s64 file_map_private(struct file *f, u64 va, u64 len, int prot, u64 offset);
/*
 * The object behind a file in kin: a reference. NULL: a file of the host, not written so far (its
 * pages are the host's).
 */
struct kin_object *file_shared_object(struct file *f);
bool file_mappable(struct file *f);
/*
 * A volume's file: a shared mapping of it is the host's. Its pages at va; the key of a futex in it;
 * what was stored in it goes to the disk.
 */
bool file_maps_host(struct file *f);
s64 file_map_shared(struct file *f, u64 va, u64 len, int prot, u64 offset);
u64 file_shared_key(struct file *f, u64 offset);
s64 file_sync_data(struct file *f);

#endif
