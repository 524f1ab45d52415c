/* SPDX-License-Identifier: ISC */
/* Inodes, handles and contents of the host's files, of the root and on volumes. */
#ifndef KERNEL_HOSTFS_HOSTFS_H
#define KERNEL_HOSTFS_HOSTFS_H

#include "kernel/vfs/inode_ops.h"

/* ---- icache.c: host-backed inodes */
bool icache_path_pinned(const char *path, u32 len); /* false: certainly not */
bool icache_file_pinned(u64 dev, u64 ino);
struct inode *icache_find_dir(const char *path, u32 len); /* reference or NULL */
struct inode *icache_find_file(u64 dev, u64 ino);
struct inode *icache_get(const char *path, u32 len, const struct hyp_stat *st); /* NULL: ENOSPC */
/* inode_ops.leave and pin; no effect unless host-backed */
void icache_leave(struct inode *ino);
void icache_pin(struct inode *ino, bool stay);
/*
 * On a volume: parent and name are where it was seen (NULL: the volume's root), renames the count
 * before the host was asked.
 */
struct inode *icache_get_volume(u32 volume, struct inode *parent, const char *name, u32 len,
								const struct hyp_stat *st, u32 renames);
void inode_attributes_set(struct inode *ino, const struct hyp_stat *st);

/* ---- dcache.c: the member's private memory of the host's names */
struct dentry {
	LIST_ENTRY(dentry) hash;
	TAILQ_ENTRY(dentry) age;
	u32 key, len;
	s32 error;       /* 0, or -ENOENT, -ENOTDIR */
	bool stat_known; /* false: a directory, nothing else is known */
	char *target;    /* symbolic link, once read */
	struct inode *lasting; /* directory: INODE_LASTS, no reference; NULL: not known */
	struct hyp_stat st;
	char path[];
};
/* rest: components that will be wanted next ("a/b"), or "". Valid until the next call. */
s64 dcache_lookup(const char *path, u32 len, const char *rest, bool need_stat, struct dentry **out);
s64 dcache_readlink(const char *path, u32 len, const char **target);
/*
 * Appends the next plain component of *rest to path; false at the end or before "..".
 */
bool append_component(char *path, u32 *len, const char **rest);

/* ---- copy_up.c: what lies on the host comes into kin. discard: without its content. */
s64 inode_copy_up(struct inode *ino, bool discard);

/* ---- host_file.c */
struct host_dirent {
	u64 ino;
	s64 off;
	u16 reclen;
	u8 type;
	char name[];
};
/*
 * Calls fn for the entries of the host's directory from its position *at on, until it returns
 * false; *at goes past those it took. 0, or an error of the host.
 */
s64 host_entries(struct inode *dir, u64 *at, bool (*fn)(void *arg, struct host_dirent *d),
				 void *arg);
/* Like the operations of inode_ops; handle may be an error, which is the answer then. */
s64 host_read(s64 handle, u64 buf, size_t len, u64 pos, bool user);
s64 host_map(s64 handle, u64 va, u64 len, int prot, u64 offset, bool shared);

/* ---- handles.c: the member's private host handles */
/* Of a file or directory, for reading; stays open until the cache needs room. */
s64 handle_get(struct inode *ino);
/* On a volume; for access (O_RDONLY, O_WRONLY, O_RDWR). -ESTALE: the file has no name any more. */
s64 handle_get_volume(struct inode *ino, u32 access);
/* Closes those of inodes that nobody in the family uses any more. */
void handles_sweep(void);
void handles_reset(void);
/* One that is open already, whatever it is open for, or -1. */
int handle_find(struct inode *ino);
/*
 * The table takes the handle over; -ENFILE (and the handle is closed) if all it has are files that
 * have lost their names, which it must not close. handles_full asks before something is made.
 */
int handle_add(struct inode *ino, u32 access, int handle);
bool handles_full(void);

/*
 * A member that has nothing of this file open gets a descriptor of it: from now on the file is kept
 * for the others when it loses its name, or at once if it has none.
 */
void volume_pass(struct inode *ino);
/* The file is about to lose its name: if it was passed on it is kept. */
void volume_keep(struct inode *ino);

#endif
