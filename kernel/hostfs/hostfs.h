/* SPDX-License-Identifier: ISC */
/*
 * Inodes and handles of the host's files, on volumes, too. What names and inodes ask for:
 * kernel/vfs/vfs_hooks.h.
 */
#ifndef KERNEL_HOSTFS_HOSTFS_H
#define KERNEL_HOSTFS_HOSTFS_H

#include "kernel/vfs/inode.h"

/* ---- icache.c */
/*
 * On a volume: parent and name are where it was seen (NULL: the volume's root), renames the count
 * before the host was asked.
 */
struct inode *icache_get_volume(u32 volume, struct inode *parent, const char *name, u32 len,
								const struct hyp_stat *st, u32 renames);
void inode_attributes_set(struct inode *ino, const struct hyp_stat *st);

/* ---- dcache.c */
/*
 * Appends the next plain component of *rest to path; false at the end or before "..".
 */
bool append_component(char *path, u32 *len, const char **rest);

/* ---- handles.c */
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
