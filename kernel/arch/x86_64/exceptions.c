/* SPDX-License-Identifier: ISC */
/*
 * Exceptions and interrupts once they are a trapframe. The application's become the signals that
 * Linux sends (signal(7), sigaction(2); si_code and si_addr as arch/x86's handlers fill them). The
 * kernel's own are demand for application memory or for a part of kin that this member has not seen
 * yet; anything else is a bug and ends the member.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "kernel/arch/arch_hooks.h"
#include "kernel/arch/x86_64/arch_internal.h"
#include "kernel/lib/lib.h"

/* Vectors, Intel SDM volume 3, table 6-1. */
enum {
	VEC_DE = 0,
	VEC_DB = 1,
	VEC_BP = 3,
	VEC_OF = 4,
	VEC_BR = 5,
	VEC_UD = 6,
	VEC_TS = 10,
	VEC_NP = 11,
	VEC_SS = 12,
	VEC_GP = 13,
	VEC_PF = 14,
	VEC_MF = 16,
	VEC_AC = 17,
	VEC_XM = 19,
};

#define TF 0x100ul
#define INSN_INT1 0xf1

struct fault_pair {
	u64 insn, fixup;
};
extern const struct fault_pair extable_start[], extable_end[];

static bool fixup(struct trapframe *f)
{
	for (const struct fault_pair *p = extable_start; p < extable_end; p++) {
		if (p->insn == f->rip) {
			f->rip = p->fixup;
			return true;
		}
	}
	return false;
}

static _Noreturn void trap_panic(const struct trapframe *f, u64 vector, u64 error, u64 cr2)
{
	kpanic("exception %lu in the kernel: rip %lx error %lx cr2 %lx rsp %lx rflags %lx "
	       "rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rbp %lx r8 %lx r9 %lx "
	       "r10 %lx r11 %lx r12 %lx r13 %lx r14 %lx r15 %lx",
	       vector, f->rip, error, cr2, f->rsp, f->rflags, f->rax, f->rbx, f->rcx, f->rdx, f->rsi,
	       f->rdi, f->rbp, f->r8, f->r9, f->r10, f->r11, f->r12, f->r13, f->r14, f->r15);
}

_Noreturn void trap_in_stub(u64 vector, u64 rip, u64 error, u64 cr2, u64 rsp)
{
	kpanic("exception %lu in an entry path: rip %lx error %lx cr2 %lx rsp %lx", vector, rip, error,
	       cr2, rsp);
}

static void trap_kernel(struct trapframe *f, u64 vector, u64 error, u64 cr2)
{
	int code;

	if (vector == VEC_PF) {
		/* Kin that another member's allocator took into use. */
		if (!(error & (FAULT_PRESENT | TRAP_ERROR_BUS)) && kin_fault(cr2))
			return;
		if (!(error & TRAP_ERROR_BUS) && user_range_ok(cr2, 1) &&
		    application_fault(cr2, error, &code) == 0)
			return;
	}
	/* #GP and #SS: a non-canonical address from the application. */
	if ((vector == VEC_PF || vector == VEC_GP || vector == VEC_SS) && fixup(f))
		return;
	trap_panic(f, vector, error, cr2);
}

static int fpe_code(u32 raised)
{
	if (raised & 0x01)
		return FPE_FLTINV;
	if (raised & 0x04)
		return FPE_FLTDIV;
	if (raised & 0x08)
		return FPE_FLTOVF;
	if (raised & 0x12) /* underflow, denormal */
		return FPE_FLTUND;
	if (raised & 0x20)
		return FPE_FLTRES;
	return 0;
}

static void fault_x87(u64 rip)
{
	u16 status, control;
	int code;

	__asm__ volatile("fnstsw %0" : "=am"(status));
	__asm__ volatile("fnstcw %0" : "=m"(control));
	code = fpe_code(status & ~control & 0x3f);
	if (code)
		signal_fault(SIGFPE, code, rip);
}

static void fault_simd(u64 rip)
{
	u32 mxcsr;
	int code;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	code = fpe_code(mxcsr & ~(mxcsr >> 7) & 0x3f);
	if (code)
		signal_fault(SIGFPE, code, rip);
}

/*
 * A single step, unless the instruction was int1: the flag itself may have been cleared by what was
 * stepped over.
 */
static int debug_code(const struct trapframe *f)
{
	u8 insn = 0;

	if (f->rflags & TF || copy_in(&insn, (void *)(f->rip - 1), 1) || insn != INSN_INT1)
		return TRAP_TRACE;
	return TRAP_BRKPT;
}

static void fault_page(u64 error, u64 cr2)
{
	int code = SEGV_MAPERR, sig;

	PERCPU->counts.faults++;
	if (error & TRAP_ERROR_BUS) {
		signal_fault(SIGBUS, BUS_ADRERR, cr2);
		return;
	}
	sig = user_range_ok(cr2, 1) ? application_fault(cr2, error, &code) : SIGSEGV;
	if (sig)
		signal_fault(sig, code, cr2);
}

/* What sigcontext shows of the exception. */
static void trap_note(u64 vector, u64 error, u64 cr2)
{
	struct arch_thread *t = thread_part(current);

	t->trap_vector = vector;
	t->trap_error = error;
	if (vector == VEC_PF)
		t->trap_cr2 = cr2;
}

static void trap_user(struct trapframe *f, u64 vector, u64 error, u64 cr2)
{
	trap_note(vector, (u32)error & ~(u32)TRAP_ERROR_BUS, cr2);
	switch (vector) {
	case VEC_PF: fault_page(error, cr2); break;
	case VEC_DE: signal_fault(SIGFPE, FPE_INTDIV, f->rip); break;
	case VEC_DB: signal_fault(SIGTRAP, debug_code(f), f->rip); break;
	case VEC_BP: signal_fault(SIGTRAP, SI_KERNEL, 0); break;
	case VEC_UD: signal_fault(SIGILL, ILL_ILLOPN, f->rip); break;
	case VEC_MF: fault_x87(f->rip); break;
	case VEC_XM: fault_simd(f->rip); break;
	case VEC_AC: signal_fault(SIGBUS, BUS_ADRALN, 0); break;
	case VEC_NP:
	case VEC_SS: signal_fault(SIGBUS, SI_KERNEL, 0); break;
	case VEC_GP:
	case VEC_TS:
	case VEC_OF:
	case VEC_BR: signal_fault(SIGSEGV, SI_KERNEL, 0); break;
	default: trap_panic(f, vector, error, cr2);
	}
}

void trap_handle(struct trapframe *frame, u64 vector, u64 error, u64 cr2)
{
	if ((u64)(frame + 1) != PERCPU->kstack_top) {
		trap_kernel(frame, vector, error, cr2);
		return;
	}
	if (vector == INTERRUPT_VECTOR) {
		PERCPU->counts.interrupts++;
		PERCPU->irq_pending = 1;
		return;
	}
	if (vector != VEC_PF)
		PERCPU->counts.faults++;
	trap_user(frame, vector, error, cr2);
	/* A page that became present needs no exit work; a signal sets attention or this. */
	if (vector != VEC_PF)
		PERCPU->irq_pending = 1;
}

void arch_exit_work(struct trapframe *frame)
{
	/* Cleared first: what is asked for from now on is seen on the way out. */
	__atomic_exchange_n(&PERCPU->irq_pending, 0, __ATOMIC_SEQ_CST);
	tlb_flush_pending();
	exit_work(frame);
}

/*
 * A signal context, or the address of a handler, names no address: Linux' return faults likewise.
 */
void arch_exit_bad_rip(struct trapframe *frame)
{
	signal_fault(SIGSEGV, SI_KERNEL, 0);
	PERCPU->irq_pending = 1;
}
