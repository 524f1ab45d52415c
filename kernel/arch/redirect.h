/* SPDX-License-Identifier: ISC */
/*
 * Redirected system-call sites (docs/architecture.md, "First trap, then call"). The first two
 * executions of a `syscall` trap; where the bytes allow it the site is rewritten then, to jump
 * through the table at CALL_TABLE_ADDR.
 */
#ifndef KERNEL_ARCH_REDIRECT_H
#define KERNEL_ARCH_REDIRECT_H

#include "common/types.h"

/* Text was unmapped or replaced: its stubs may be reused. */
void redirect_range_gone(u64 addr, u64 len);

#define REDIRECT_BEFORE 64 /* bytes that are looked at before a site, and some after it: */
#define REDIRECT_AFTER 8

struct known_call {
	u64 after; /* the address behind the call */
	u32 nr;  /* the number that it loads */
};
/*
 * Rewrites sites that the family knows in the text mapped at [start, end). What is looked at of
 * each is present and lies there.
 */
void redirect_known(u64 start, u64 end, const struct known_call *calls, u32 count);

/*
 * exec: may the call table have its place in the new address space? Without it, or if there is no
 * memory for it, every call traps. All sites of the old program have gone.
 */
void redirect_table(bool wanted);

/*
 * The application wants the call table's place: all text is again what it was, and its calls trap
 * until the next exec. Who stands in a tail goes on there.
 */
void redirect_undo(void);
/* The address in the text of what stands at rip, if that is in a displaced part; or rip. */
u64 redirect_place(u64 rip);
/* Where the call that reports this address is in the text: itself, unless it was displaced. */
u64 redirect_origin(u64 rip);

/* True once after redirect_site saw a site for the first time. */
bool redirect_first_execution(void);

#endif
