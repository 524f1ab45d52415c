/* SPDX-License-Identifier: ISC */
/*
 * Lengths and branch targets of x86-64 instructions: just enough to know where instructions begin
 * around a system-call site. Source: Intel SDM volume 2, appendix A.
 */
#ifndef KERNEL_ARCH_DECODE_H
#define KERNEL_ARCH_DECODE_H

#include "common/types.h"

#define INSN_MAX 15

struct insn {
	u8 length;     /* bytes */
	bool branch;   /* relative jump, conditional jump or call: target is valid */
	u64 target;
};

/*
 * Decodes what lies at code (at most size bytes), as if it ran at address rip. 0, or -1: not an
 * instruction known here.
 */
int insn_decode(struct insn *in, const u8 *code, size_t size, u64 rip);

#endif
