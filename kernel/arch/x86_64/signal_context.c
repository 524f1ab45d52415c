/* SPDX-License-Identifier: ISC */
/*
 * The frame under a handler and the way back. The layout is Linux's struct rt_sigframe: return
 * address, ucontext, siginfo, then (64-byte aligned, above) the XSAVE area with its software bytes;
 * C libraries, unwinders and programs read and change it. From asm/sigcontext.h, asm/ucontext.h,
 * sigreturn(2).
 *
 * The FPU state is the application's and in the registers all the time. The thread's XSAVE area,
 * unused while the thread runs, is the bounce buffer between registers and stack; a context switch
 * inside a copy would store the same state.
 */
#include <asm/errno.h>
#include <asm/sigcontext.h>
#include <linux/signal.h>
#include <asm/ucontext.h>

#include "kernel/arch/x86_64/arch_internal.h"
#include "kernel/lib/lib.h"

#define RED_ZONE 128
#define FLAGS_HANDLER_CLEARS 0x10500ull /* RF DF TF */
#define FLAGS_USER 0x50dd5ull           /* AC RF OF DF TF SF ZF AF PF CF */

#define FXSAVE_SIZE 512
#define FXSAVE_SOFTWARE 464 /* offset of struct _fpx_sw_bytes */
#define XSTATE_BV 512
#define XSAVE_HEADER_END 576
#define XFEATURES_LEGACY 3ull /* x87, SSE */

struct rt_sigframe {
	u64 return_address;
	struct ucontext uc;
	u8 info[128];
};
_Static_assert(sizeof(struct rt_sigframe) == 440, "struct rt_sigframe of Linux");
_Static_assert(offsetof(struct rt_sigframe, info) == 312, "siginfo in struct rt_sigframe");

static u64 fpu_frame_size(void)
{
	return BOOT_INFO->xsave_size + FP_XSTATE_MAGIC2_SIZE;
}

u64 arch_signal_frame_size(void)
{
	return ALIGN_UP(fpu_frame_size() + 63 + sizeof(struct rt_sigframe) + 15 + RED_ZONE, 16);
}

u64 arch_signal_stack(const struct trapframe *f)
{
	return f->rsp - RED_ZONE;
}

static u64 fpu_place(u64 top)
{
	return ALIGN_DOWN(top - fpu_frame_size(), 64);
}

u64 arch_signal_frame_place(u64 top)
{
	return ALIGN_DOWN(fpu_place(top) - sizeof(struct rt_sigframe), 16) - 8;
}

/* ---- FPU state */

/*
 * Components that are in their initial state may have been left out by XSAVE: readers of the legacy
 * part expect them.
 */
static void fill_legacy(u8 *area)
{
	u64 *present = (u64 *)(area + XSTATE_BV);

	if (!(*present & 1)) {
		memset(area, 0, 24);
		memset(area + 32, 0, 128);
		*(u16 *)area = 0x37f;
	}
	if (!(*present & 2))
		memset(area + 160, 0, 256);
	*present |= XFEATURES_LEGACY;
}

static int fpu_push(u64 fpstate)
{
	u8 *area = thread_part(current)->xsave;
	u32 size = BOOT_INFO->xsave_size, magic2 = FP_XSTATE_MAGIC2;
	struct _fpx_sw_bytes software = {
		.magic1 = FP_XSTATE_MAGIC1,
		.extended_size = (u32)fpu_frame_size(),
		.xfeatures = BOOT_INFO->xsave_mask,
		.xstate_size = size,
	};

	fpu_save(area);
	fill_legacy(area);
	memcpy(area + FXSAVE_SOFTWARE, &software, sizeof(software));
	if (copy_out((void *)fpstate, area, size) ||
	    copy_out((void *)(fpstate + size), &magic2, sizeof(magic2)))
		return -EFAULT;
	return 0;
}

static void fpu_fresh(void)
{
	fpu_reset(thread_part(current)->xsave);
	fpu_restore(thread_part(current)->xsave);
}

/*
 * Bytes of extended state behind fpstate that are what they claim to be; 0: only the legacy part is
 * there.
 */
static u32 extended_size(u64 fpstate, const struct _fpx_sw_bytes *software)
{
	u32 magic2;

	if (software->magic1 != FP_XSTATE_MAGIC1 || software->xstate_size < XSAVE_HEADER_END ||
	    software->xstate_size > BOOT_INFO->xsave_size ||
	    software->xstate_size > software->extended_size)
		return 0;
	if (copy_in(&magic2, (void *)(fpstate + software->xstate_size), sizeof(magic2)) ||
	    magic2 != FP_XSTATE_MAGIC2)
		return 0;
	return software->xstate_size;
}

static int fpu_pop(u64 fpstate)
{
	u8 *area = thread_part(current)->xsave;
	u64 *present = (u64 *)(area + XSTATE_BV);
	struct _fpx_sw_bytes software;
	u32 size;

	if (!fpstate) {
		fpu_fresh();
		return 0;
	}
	memset(area, 0, BOOT_INFO->xsave_size);
	if (copy_in(area, (void *)fpstate, FXSAVE_SIZE))
		return -EFAULT;
	memcpy(&software, area + FXSAVE_SOFTWARE, sizeof(software));
	size = extended_size(fpstate, &software);
	if (size) {
		if (copy_in(area, (void *)fpstate, size))
			return -EFAULT;
		*present &= software.xfeatures & BOOT_INFO->xsave_mask;
	} else {
		*present = XFEATURES_LEGACY;
	}
	if (fpu_area_sanitize(area, BOOT_INFO->xsave_size))
		return -EFAULT;
	fpu_restore(area);
	return 0;
}

/* ---- registers */

static void registers_save(struct sigcontext *sc, const struct trapframe *f,
	const struct arch_thread *t)
{
	*sc = (struct sigcontext){
		.r8 = f->r8, .r9 = f->r9, .r10 = f->r10, .r11 = f->r11,
		.r12 = f->r12, .r13 = f->r13, .r14 = f->r14, .r15 = f->r15,
		.rdi = f->rdi, .rsi = f->rsi, .rbp = f->rbp, .rbx = f->rbx,
		.rdx = f->rdx, .rax = f->rax, .rcx = f->rcx, .rsp = f->rsp,
		.rip = f->rip, .eflags = f->rflags, .cs = (u16)f->cs, .ss = (u16)f->ss,
		.err = t->trap_error, .trapno = t->trap_vector, .cr2 = t->trap_cr2,
	};
}

static void registers_restore(struct trapframe *f, const struct sigcontext *sc)
{
	f->r8 = sc->r8;
	f->r9 = sc->r9;
	f->r10 = sc->r10;
	f->r11 = sc->r11;
	f->r12 = sc->r12;
	f->r13 = sc->r13;
	f->r14 = sc->r14;
	f->r15 = sc->r15;
	f->rdi = sc->rdi;
	f->rsi = sc->rsi;
	f->rbp = sc->rbp;
	f->rbx = sc->rbx;
	f->rdx = sc->rdx;
	f->rax = sc->rax;
	f->rcx = sc->rcx;
	f->rsp = sc->rsp;
	f->rip = sc->rip;
	/* cs and ss stay ours; IOPL and the interrupt flag too. */
	f->rflags = (f->rflags & ~FLAGS_USER) | (sc->eflags & FLAGS_USER);
	f->orig_rax = ~0ull;
}

static void context_save(struct ucontext *uc, const struct trapframe *f, u64 fpstate,
	const struct signal_context *c)
{
	uc->uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	uc->uc_link = NULL;
	uc->uc_stack = (stack_t){
		.ss_sp = (void *)c->alt_sp, .ss_flags = (int)c->alt_flags, .ss_size = c->alt_size,
	};
	registers_save(&uc->uc_mcontext, f, thread_part(current));
	uc->uc_mcontext.oldmask = c->mask;
	uc->uc_mcontext.fpstate = (void *)fpstate;
	uc->uc_sigmask = c->mask;
}

int arch_signal_frame_push(struct trapframe *f, u64 top, const struct handler_call *call,
	const struct signal_context *context)
{
	struct rt_sigframe out = { .return_address = call->restorer };
	u64 fpstate = fpu_place(top), sp = arch_signal_frame_place(top);

	memcpy(out.info, call->info, MIN(call->info_size, sizeof(out.info)));
	context_save(&out.uc, f, fpstate, context);
	if (fpu_push(fpstate) || copy_out((void *)sp, &out, sizeof(out)))
		return -EFAULT;
	fpu_fresh();
	f->rdi = (u64)call->signal;
	f->rsi = sp + offsetof(struct rt_sigframe, info);
	f->rdx = sp + offsetof(struct rt_sigframe, uc);
	f->rax = 0;
	f->rsp = sp;
	f->rip = call->handler;
	f->rflags &= ~FLAGS_HANDLER_CLEARS;
	f->orig_rax = ~0ull;
	return 0;
}

/* The restorer has popped the return address. */
int arch_signal_frame_pop(struct trapframe *f, struct signal_context *context)
{
	struct ucontext uc;

	if (copy_in(&uc, (void *)(f->rsp - 8 + offsetof(struct rt_sigframe, uc)), sizeof(uc)) ||
	    fpu_pop((u64)uc.uc_mcontext.fpstate))
		return -EFAULT;
	registers_restore(f, &uc.uc_mcontext);
	*context = (struct signal_context){
		.mask = uc.uc_sigmask,
		.alt_sp = (u64)uc.uc_stack.ss_sp,
		.alt_size = uc.uc_stack.ss_size,
		.alt_flags = (u32)uc.uc_stack.ss_flags,
	};
	return 0;
}
