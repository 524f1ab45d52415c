/* SPDX-License-Identifier: ISC */
/*
 * The family's memory of call sites, in kin: for each file, where a `syscall` was redirected. Only
 * grows; a file is known by device, inode, size and time of change.
 */
#ifndef KERNEL_MM_CALL_SITES_H
#define KERNEL_MM_CALL_SITES_H

#include "common/types.h"

struct mm;
struct vma;

/* Rewrites the sites that the family knows in v, if v is a private mapping of a file's text. */
void sites_redirect(struct mm *mm, struct vma *v);
/* mmap(2) has made v, a mapping of a file that may be executed. */
void sites_mapped(struct mm *mm, struct vma *v);
/* True if others have found sites since the last call. */
bool sites_behind(void);

#endif
