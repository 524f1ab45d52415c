/* SPDX-License-Identifier: ISC */
/*
 * Redirected system-call sites (docs/architecture.md, "First trap, then call"). The first execution
 * of a `syscall` traps; where the bytes allow it the site is rewritten to jump through the table at
 * CALL_TABLE_ADDR.
 */
#ifndef KERNEL_ARCH_REDIRECT_H
#define KERNEL_ARCH_REDIRECT_H

#include "common/types.h"

/* redirect_site, redirect_range_gone: arch.h. */

struct mm;
struct vma;

/* Rewrites the sites that the family knows in v, if v is a private mapping of a file's text. */
void redirect_known(struct mm *mm, struct vma *v);
/* True if others have found sites since the last call. */
bool redirect_behind(void);

/*
 * exec: may the call table have its place in the new address space? Without it, or if there is no
 * memory for it, every call traps. All sites of the old program have gone.
 */
void redirect_table(bool wanted);

/* True once after redirect_site saw a site for the first time. */
bool redirect_first_execution(void);

#endif
