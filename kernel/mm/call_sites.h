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
/*
 * From here on, until the next exec, calls of this member trap and its text is what its file
 * says: a debugger looks at it. Whoever stands in a displaced part goes on in the text.
 */
void calls_trap(struct mm *mm);
/* True if others have found sites since the last call. */
bool sites_behind(void);

#endif
