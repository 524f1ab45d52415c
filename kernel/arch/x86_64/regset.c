/* SPDX-License-Identifier: ISC */
/*
 * The registers of a thread that waits, as ptrace(2) shows them. Layouts: struct user_regs_struct
 * and the notes of core files; the XSAVE area is in the format that they have, too.
 */
#include <linux/elf.h>

#include "kernel/arch/x86_64/arch_internal.h"
#include "kernel/lib/lib.h"

#define FRAME_WORDS (sizeof(struct trapframe) / sizeof(u64))
#define LEGACY_SIZE 512
#define SOFTWARE_WORD 58 /* of the legacy area: which parts follow, as Linux tells debuggers */

const void *arch_regset(struct thread *t, const struct trapframe *f, u32 type,
						struct arch_regs *regs, size_t *size)
{
	struct arch_thread *a = thread_part(t);

	switch (type) {
	case NT_PRSTATUS:
		memcpy(regs, f, sizeof(*f)); /* in that order, too */
		regs->word[FRAME_WORDS] = a->fsbase;
		regs->word[FRAME_WORDS + 1] = a->gsbase;
		for (u32 i = FRAME_WORDS + 2; i < ARRAY_SIZE(regs->word); i++)
			regs->word[i] = 0; /* ds, es, fs, gs */
		*size = sizeof(*regs);
		return regs;
	case NT_PRFPREG: *size = LEGACY_SIZE; return a->xsave;
	case NT_X86_XSTATE:
		((u64 *)a->xsave)[SOFTWARE_WORD] = BOOT_INFO->xsave_mask;
		*size = BOOT_INFO->xsave_size;
		return a->xsave;
	default: return NULL;
	}
}
