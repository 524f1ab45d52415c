/* SPDX-License-Identifier: ISC */
/*
 * The stack of a new program, from the top: eight zero bytes, the file name, envp strings, argv
 * strings, random bytes, platform name; then, 16-byte aligned at its lower end, argc, argv, envp
 * and the auxiliary vector. Source: the System V ABI (for x86-64, section 3.4.1); getauxval(3).
 */
#include "kernel/exec/exec.h"
#include "kernel/signal/signal_delivery.h"

#include <asm/auxvec.h>
#include <asm/errno.h>
#include <linux/auxvec.h>
#include <linux/mman.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm_internal.h"
#include "kernel/proc/proc.h"

#define STACK_ROOM (256ul << 10)  /* present below what is written here */
#define CLOCK_TICKS 100           /* USER_HZ */
#define AUX_MAX 24
#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

struct stack {
	u64 sp;
	u64 *vector;             /* argc and what follows, built in kernel memory */
	size_t count, npages;
	bool fault;
};

static u64 stack_push(struct stack *s, const void *data, size_t len)
{
	s->sp -= len;
	s->fault |= copy_out((void *)s->sp, data, len) != 0;
	return s->sp;
}

static void vector_add(struct stack *s, u64 value)
{
	s->vector[s->count++] = value;
}

static void aux_add(struct stack *s, u64 type, u64 value)
{
	vector_add(s, type);
	vector_add(s, value);
}

/*
 * Pointers to n strings that lie one after the other, first at addr; their copy in the kernel is
 * text. Address after them.
 */
static u64 vector_add_strings(struct stack *s, const char *text, u64 addr, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		size_t len = strlen(text) + 1;

		vector_add(s, addr);
		text += len;
		addr += len;
	}
	vector_add(s, 0);
	return addr;
}

static void vector_add_aux(struct stack *s, const struct exec_image *image, u64 vdso, u64 random,
	u64 platform,
	u64 execfn)
{
	const struct elf_file *p = &image->program;
	const struct kin_proc *kp = current->proc->kp;

	if (vdso)
		aux_add(s, AT_SYSINFO_EHDR, vdso);
	aux_add(s, AT_MINSIGSTKSZ, arch_signal_frame_size());
	aux_add(s, AT_HWCAP, BOOT_INFO->hwcap);
	aux_add(s, AT_PAGESZ, PAGE_SIZE);
	aux_add(s, AT_CLKTCK, CLOCK_TICKS);
	aux_add(s, AT_PHDR, p->layout.phdr_vaddr ? p->layout.phdr_vaddr + p->bias : 0);
	aux_add(s, AT_PHENT, ELF_PHDR_SIZE);
	aux_add(s, AT_PHNUM, p->header.phnum);
	aux_add(s, AT_BASE, image->interp.file ? image->interp.bias : 0);
	aux_add(s, AT_FLAGS, 0);
	aux_add(s, AT_ENTRY, p->header.entry + p->bias);
	aux_add(s, AT_UID, kp->inherited.uid);
	aux_add(s, AT_EUID, kp->inherited.euid);
	aux_add(s, AT_GID, kp->inherited.gid);
	aux_add(s, AT_EGID, kp->inherited.egid);
	aux_add(s, AT_SECURE, image->secure);
	aux_add(s, AT_RANDOM, random);
	aux_add(s, AT_HWCAP2, BOOT_INFO->hwcap2);
	aux_add(s, AT_EXECFN, execfn);
	aux_add(s, AT_PLATFORM, platform);
	aux_add(s, AT_NULL, 0);
}

static s64 stack_map(struct mm *mm, const struct exec_image *image, u64 top, size_t bytes)
{
	struct vma model = {
		.end = top,
		.start = top - ALIGN_UP(bytes + STACK_ROOM, PAGE_SIZE),
		.prot = PROT_READ | PROT_WRITE | (image->program.layout.exec_stack ? PROT_EXEC : 0),
		.flags = VMA_STACK | VMA_GROWSDOWN,
	};
	s64 err = mm_place(mm, &model, true);

	return err < 0 ? err : 0;
}

/* Strings onto the stack, pointers into the vector. */
static void stack_fill(struct stack *s, struct mm *mm, const struct exec_image *image,
	const struct arg_block *args,
	const char *execfn, u64 vdso, const struct exec_random *r)
{
	static const char platform_name[] = ARCH_NAME;
	u64 zero = 0, name, strings, random, platform;

	stack_push(s, &zero, sizeof(zero));
	name = stack_push(s, execfn, strlen(execfn) + 1);
	strings = stack_push(s, args->strings, args->bytes);
	s->sp = ALIGN_DOWN(s->sp - r->sp, 16);
	random = stack_push(s, r->auxv, sizeof(r->auxv));
	platform = stack_push(s, platform_name, sizeof(platform_name));

	vector_add(s, args->argc);
	mm->arg_start = strings;
	mm->arg_end = vector_add_strings(s, args->strings, strings, args->argc);
	mm->env_start = mm->arg_end;
	mm->env_end = vector_add_strings(s, args->strings + (mm->arg_end - strings), mm->env_start,
		args->envc);
	size_t aux = s->count;
	vector_add_aux(s, image, vdso, random, platform, name);
	s->sp = ALIGN_DOWN(s->sp - s->count * sizeof(u64), 16);
	mm->auxv_start = s->sp + aux * sizeof(u64);
	mm->auxv_end = s->sp + s->count * sizeof(u64);
	s->fault |= copy_out((void *)s->sp, s->vector, s->count * sizeof(u64)) != 0;
	mm->stack_start = s->sp;
}

s64 exec_stack_build(struct mm *mm, const struct exec_image *image, const struct arg_block *args,
	const char *execfn, u64 vdso, const struct exec_random *r, u64 *sp)
{
	size_t words = (size_t)args->argc + args->envc + 3 + 2 * AUX_MAX;
	u64 top = r->stack_top;
	struct stack s = {.sp = top, .npages =
		(words * sizeof(u64) + PAGE_SIZE - 1) / PAGE_SIZE};
	s64 err = stack_map(mm, image, top, args->bytes + words * sizeof(u64) + strlen(execfn));

	if (err)
		return err;
	s.vector = kpages_alloc(s.npages);
	if (!s.vector)
		return -ENOMEM;
	stack_fill(&s, mm, image, args, execfn, vdso, r);
	kpages_free(s.vector, s.npages);
	*sp = s.sp;
	return s.fault ? -EFAULT : 0;
}
