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

#include "kernel/lib/lib.h"
#include "kernel/signal/signal_delivery.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"

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
	struct ksiginfo info;
	u8 info_rest[128 - sizeof(struct ksiginfo)];
};
_Static_assert(sizeof(struct rt_sigframe) == 440, "struct rt_sigframe of Linux");
_Static_assert(offsetof(struct rt_sigframe, info) == 312, "siginfo in struct rt_sigframe");

static u64 fpu_frame_size(void)
{
	return BOOT_INFO->xsave_size + FP_XSTATE_MAGIC2_SIZE;
}

u64 signal_frame_size(void)
{
	return ALIGN_UP(fpu_frame_size() + 63 + sizeof(struct rt_sigframe) + 15 + RED_ZONE, 16);
}

static bool in_altstack(const struct thread *t, u64 sp)
{
	return sp > t->sig.alt_sp && sp - t->sig.alt_sp <= t->sig.alt_size;
}

static bool on_altstack(const struct thread *t, u64 sp)
{
	return !(t->sig.alt_flags & SS_AUTODISARM) && in_altstack(t, sp);
}

u32 signal_altstack_flags(const struct thread *t, u64 sp)
{
	if (!t->sig.alt_size)
		return SS_DISABLE;
	return on_altstack(t, sp) ? SS_ONSTACK : 0;
}

int signal_altstack_set(struct thread *t, u64 sp, const stack_t *s)
{
	u32 mode = (u32)s->ss_flags & ~SS_AUTODISARM;

	if (on_altstack(t, sp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		t->sig.alt_sp = t->sig.alt_size = 0;
	} else {
		if (s->ss_size < MINSIGSTKSZ)
			return -ENOMEM;
		t->sig.alt_sp = (u64)s->ss_sp;
		t->sig.alt_size = s->ss_size;
	}
	t->sig.alt_flags = (u32)s->ss_flags;
	return 0;
}

/* Where the frame goes, and above it the XSAVE area; 0: the alternate stack is too small. */
static u64 frame_place(const struct thread *t, u64 rsp, u64 action_flags, u64 *fpstate)
{
	bool on_alternate = on_altstack(t, rsp);
	u64 sp = rsp - RED_ZONE;

	if ((action_flags & SA_ONSTACK) && signal_altstack_flags(t, sp) == 0) {
		sp = t->sig.alt_sp + t->sig.alt_size;
		on_alternate = true;
	}
	*fpstate = ALIGN_DOWN(sp - fpu_frame_size(), 64);
	sp = ALIGN_DOWN(*fpstate - sizeof(struct rt_sigframe), 16) - 8;
	return on_alternate && !in_altstack(t, sp) ? 0 : sp;
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
	u8 *area = current->arch.xsave;
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
	fpu_reset(current->arch.xsave);
	fpu_restore(current->arch.xsave);
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
	u8 *area = current->arch.xsave;
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

static void registers_save(struct sigcontext *sc, const struct trapframe *f, const struct thread *t)
{
	*sc = (struct sigcontext){
		.r8 = f->r8, .r9 = f->r9, .r10 = f->r10, .r11 = f->r11,
		.r12 = f->r12, .r13 = f->r13, .r14 = f->r14, .r15 = f->r15,
		.rdi = f->rdi, .rsi = f->rsi, .rbp = f->rbp, .rbx = f->rbx,
		.rdx = f->rdx, .rax = f->rax, .rcx = f->rcx, .rsp = f->rsp,
		.rip = f->rip, .eflags = f->rflags, .cs = (u16)f->cs, .ss = (u16)f->ss,
		.err = t->sig.trap_error, .trapno = t->sig.trap_vector, .cr2 = t->sig.trap_cr2,
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

static void context_save(struct ucontext *uc, const struct trapframe *frame, struct thread *t,
	u64 fpstate)
{
	sigset mask = t->sig.restore_mask ? t->sig.saved_mask : t->sig.blocked;

	uc->uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	uc->uc_link = NULL;
	uc->uc_stack = (stack_t){
		.ss_sp = (void *)t->sig.alt_sp,
		.ss_flags = (int)t->sig.alt_flags,
		.ss_size = t->sig.alt_size,
	};
	registers_save(&uc->uc_mcontext, frame, t);
	uc->uc_mcontext.oldmask = mask;
	uc->uc_mcontext.fpstate = (void *)fpstate;
	uc->uc_sigmask = mask;
}

int signal_frame_push(struct trapframe *frame, int sig, const struct ksiginfo *info,
	const struct signal_action *a)
{
	struct thread *t = current;
	struct rt_sigframe out = { .return_address = a->restorer, .info = *info };
	u64 fpstate, sp = frame_place(t, frame->rsp, a->flags, &fpstate);

	if (!sp || !(a->flags & SA_RESTORER))
		return -EFAULT;
	context_save(&out.uc, frame, t, fpstate);
	if (fpu_push(fpstate) || copy_out((void *)sp, &out, sizeof(out)))
		return -EFAULT;
	fpu_fresh();
	if (t->sig.alt_flags & SS_AUTODISARM) {
		t->sig.alt_sp = t->sig.alt_size = 0;
		t->sig.alt_flags = SS_DISABLE;
	}
	frame->rdi = (u64)sig;
	frame->rsi = sp + offsetof(struct rt_sigframe, info);
	frame->rdx = sp + offsetof(struct rt_sigframe, uc);
	frame->rax = 0;
	frame->rsp = sp;
	frame->rip = a->handler;
	frame->rflags &= ~FLAGS_HANDLER_CLEARS;
	frame->orig_rax = ~0ull;
	return 0;
}

/* The handler returned to the restorer, which popped the return address. */
s64 sys_rt_sigreturn(void)
{
	struct thread *t = current;
	struct trapframe *frame = thread_frame(t);
	struct ucontext uc;

	if (copy_in(&uc, (void *)(frame->rsp - 8 + offsetof(struct rt_sigframe, uc)), sizeof(uc)) ||
	    fpu_pop((u64)uc.uc_mcontext.fpstate)) {
		signal_force_segv(0);
		return 0;
	}
	signal_set_blocked(uc.uc_sigmask);
	registers_restore(frame, &uc.uc_mcontext);
	signal_altstack_set(t, frame->rsp, &uc.uc_stack); /* errors do not matter here, as on Linux */
	t->restart_fn = 0;
	return (s64)frame->rax;
}
