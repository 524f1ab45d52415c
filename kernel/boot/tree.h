/* SPDX-License-Identifier: ISC */
/* The tree of files at its beginning. */
#ifndef KERNEL_BOOT_TREE_H
#define KERNEL_BOOT_TREE_H

void vfs_init(void);   /* first member: the tree in kin */
void vfs_attach(void); /* every member: private caches */

void start_tree_make(void); /* start_tree.c: the last of vfs_init */

#endif
