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
 * Operations of the file types that live here, for file_ops[] in kernel/boot/file_types.c (opath:
 * FILE_PATH). read and write advance *pos themselves. release drops the inode, too; it may be
 * repeated.
 */
extern const struct file_ops inode_file_ops, dir_file_ops, opath_file_ops;

/* Where an inode keeps its FIFO's pipe (NULL at first). */
struct pipe **inode_fifo_slot(struct inode *ino);
/*
 * References. Those of a call in progress are holds of the member: get and put. The others are
 * slots (OWN_INODE): ref takes one more for an empty slot; give moves the caller's into the slot,
 * which may have had another, not its last; drop is the slot's put. Not under a lock where it may
 * be the last.
 */
void inode_get(struct inode *ino);
void inode_put(struct inode *ino); /* NULL is allowed */
void inode_ref(struct inode **slot, struct inode *ino);
void inode_give(struct inode **slot, struct inode *ino);
void inode_drop(struct inode **slot);
bool inode_get_unless_gone(struct inode *ino); /* under a lock that its end waits for */
void xattrs_free(struct inode *ino); /* with the inode */

/*
 * What a process knows of where it is, beside its directories (kp->cwd, kp->root): private,
 * cloned by fork. cwd is absolute and normalised.
 */
struct kin_proc;
struct fs_context {
	char cwd[VFS_PATH_MAX];
};

/* That directory becomes the process's; its root if it is none. */
struct fs_context *fs_context_create(struct kin_proc *kp, const char *cwd);
struct fs_context *fs_context_clone(const struct fs_context *c); /* NULL: to be filled in */
void fs_context_free(struct fs_context *c);
/* A child that is being made gets its parent's directories; a process that goes gives them back. */
void directories_inherit(struct kin_proc *child, const struct kin_proc *parent);
void directories_drop(struct kin_proc *kp);
s64 fs_directory_check(const char *path); /* 0, or -errno: it is none */

bool file_is_null(const struct file *f); /* /dev/null, of which nothing can be spliced */

/* path: kernel memory. Follows links; dirfd AT_FDCWD or a descriptor. *out has one reference. */
#define OPEN_EXEC 0x20 /* of flags: to be executed, whether or not the caller may read it */
s64 vfs_open(int dirfd, const char *path, u32 flags, u32 mode, struct file **out);
s64 vfs_stat(int dirfd, const char *path, u32 at_flags, struct kstat *st);
/*
 * A member that has none of this one's host handles gets this file: it must be able to open it.
 * open.c.
 */
void file_pass(struct file *f);
void files_pass(struct fdtable *t); /* all that stay open at an exec */
/*
 * Locks (fcntl, flock): file_lock.c. Dropped when a process closes any descriptor of the inode, and
 * at its death. The rest: kernel/fd/fd_hooks.h.
 */
void locks_release_process(s32 pid);
void dnotify_release_process(s32 pid); /* the same for fcntl(F_NOTIFY): dnotify.c */
void locks_release_inode(struct inode *ino);
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif

/* For exec; for mmap: kernel/mm/mm_hooks.h. Sizes in bytes; results bytes or -errno. */
s64 file_pread_kernel(struct file *f, void *buf, size_t len, u64 pos);
/* 0, -EACCES: regular file with an x bit for the caller */
s64 file_may_exec(struct file *f);
/* Nobody may open it for writing until file_allow_write or the file's end. 0 or -ETXTBSY. */
s64 file_deny_write(struct file *f);
void file_allow_write(struct file *f);

#endif
