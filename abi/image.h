/* SPDX-License-Identifier: ISC */
/*
 * First bytes of the kernel image, at KERNEL_IMAGE: where a backend enters it. All are virtual
 * addresses.
 */
#ifndef ABI_IMAGE_H
#define ABI_IMAGE_H

#include "common/types.h"

#define IMAGE_MAGIC 0x6b2d736f74696dull

struct kernel_image {
	u64 magic;
	u64 end;            /* of image and bss */
	u64 entry;          /* fresh member; the kernel sets its own boot stack; never returns */
	u64 clone_entry;    /* clone: constant registers; the thread is percpu->current */
	/* kvm */
	u64 lstar;          /* system-call stub for MSR_LSTAR */
	u64 exception_stubs; /* 32 stubs, EXCEPTION_STUB_SIZE bytes each, for the IDT (IST 1) */
	/* Pages: text [KERNEL_IMAGE, text_end), read-only data up to rodata_end, data up to end. */
	u64 text_end, rodata_end;
	u64 boot_tables;    /* BOOT_TABLES zeroed pages for the first page tables, built by kvm */
	/*
	 * process: resume here with RSP = RDI = a struct trapframe that the backend has built on the
	 * thread's kernel stack (below percpu->kstack_top, or below the interrupted RSP if RIP was in
	 * the kernel), RSI = vector, RDX = error code, RCX = CR2, DF clear. Vectors: 0..31 as the
	 * processor's, INTERRUPT_VECTOR, SYSCALL_VECTOR (frame.rip after the `syscall`, rax and
	 * orig_rax = number).
	 */
	u64 host_trap_entry;
	/*
	 * An interrupt with RIP in the kernel's window only sets percpu->irq_pending; if RIP lies in
	 * [exit_start, exit_end) it also resumes at exit_restart, with RSP = percpu->kstack_top -
	 * sizeof(struct trapframe).
	 */
	u64 exit_start, exit_end, exit_restart;
	/*
	 * Code of the entry paths that may run on an application's stack, as do the site stubs
	 * [SITE_STUBS_ADDR, +SITE_STUBS_SIZE). Interrupts: same rule as the kernel's window. Vector 1
	 * (single step): keep TF and AC in percpu (PERCPU_STEPPED), clear TF, set AC, resume. Other
	 * exceptions there end the member.
	 */
	u64 stubs_start, stubs_end;
};

/*
 * The application's integer registers, at the top of its thread's kernel stack; the order of
 * Linux's pt_regs.
 */
struct trapframe {
	u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	u64 orig_rax; /* system-call number, or -1 for exceptions and interrupts: nothing to restart */
	u64 rip, cs, rflags, rsp, ss;
};

/* PML4, PDPT, PD of the first GiB, four PTs from KERNEL_BASE on, PDPT and PD of kin's first GiB */
#define BOOT_TABLES 9
#define EXCEPTION_STUB_SIZE 32
#define INTERRUPT_VECTOR 0x20
#define SYSCALL_VECTOR 0x100

/*
 * Added to the error code of vector 14 by the process backend: the host had no page to give
 * (SIGBUS), e.g. a file shrank.
 */
#define TRAP_ERROR_BUS 0x80000000ull

/* What the backends know of struct percpu: offsets from PERCPU_ADDR. */
#define PERCPU_KSTACK_TOP 0
#define PERCPU_IRQ_PENDING 24
#define PERCPU_IRQ_COUNT 28 /* u32: the backend adds 1 with each interrupt it delivers or notes */
#define PERCPU_STEPPED 72 /* u64: TF and AC of an application that single-stepped into a stub */

#endif
