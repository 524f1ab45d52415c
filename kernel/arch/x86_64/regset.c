/* SPDX-License-Identifier: ISC */
/*
 * The registers of a thread that waits, as ptrace(2) shows and sets them. Layouts: struct
 * user_regs_struct and the notes of core files; the XSAVE area is in the format that they have,
 * too.
 */
#include <asm/errno.h>
#include <linux/elf.h>

#include "kernel/arch/x86_64/arch_internal.h"
#include "kernel/lib/lib.h"

#define FRAME_WORDS (sizeof(struct trapframe) / sizeof(u64))
#define LEGACY_SIZE 512
#define LEGACY_STATE 3 /* x87 and SSE, of the parts of an area */
#define STATE_WORD 64  /* which parts an area has */
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

s64 arch_regset_write(struct thread *t, u32 type, void *data, size_t size)
{
	struct arch_thread *a = thread_part(t);
	u64 *state = (u64 *)a->xsave + STATE_WORD;
	const u32 *mxcsr = data;

	switch (type) {
	case NT_PRFPREG:
		if (size != LEGACY_SIZE || mxcsr[6] & ~0xffffu)
			return -EINVAL;
		memcpy(a->xsave, data, LEGACY_SIZE);
		*state |= LEGACY_STATE;
		return 0;
	case NT_X86_XSTATE:
		if (size != BOOT_INFO->xsave_size || fpu_area_sanitize(data, (u32)size))
			return -EINVAL;
		memcpy(a->xsave, data, size);
		return 0;
	default: return -EINVAL;
	}
}

void arch_regs_show(struct arch_regs *regs)
{
	size_t size;

	thread_save_registers(thread_part(current));
	arch_regset(current, thread_frame(current), NT_PRSTATUS, regs, &size);
}

void arch_regs_resume(const struct arch_regs *regs)
{
	struct arch_thread *a = thread_part(current);
	struct trapframe *f = thread_frame(current);

	if (regs) {
		memcpy(f, regs, sizeof(*f)); /* selectors and flags are seen to on the way out */
		a->fsbase = regs->word[FRAME_WORDS];
		a->gsbase = regs->word[FRAME_WORDS + 1];
	}
	thread_load_registers(a);
}
