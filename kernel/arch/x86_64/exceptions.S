/* SPDX-License-Identifier: ISC */
/*
 * Exceptions of the VM (kvm only). The processor switches to CPL 0 and IST stack 1; a stub leaves
 * for CPL 3 at once through a constant frame, because ring 0 may be emulated at a microsecond per
 * instruction. What the processor pushed lies at fixed addresses; code at CPL 3 moves it into a
 * trapframe on the thread's kernel stack, and only then may the next exception come. Interrupts
 * arrive in between but use no stack (abi/image.h).
 */
#include "kernel/arch/x86_64/offsets.h"

	.macro HAS_ERROR vector
	.set has_error, 0
	.irp v, 8, 10, 11, 12, 13, 14, 17, 21, 29, 30
	.if \vector == \v
	.set has_error, 1
	.endif
	.endr
	.endm

	.section .stubs, "ax", @progbits

	/* Ring 0. Which frame tells the vector. */
	.balign 64
	.globl exception_stubs
exception_stubs:
	.set vector, 0
	.rept 32
	.balign 32
	.if vector == 3
	cmpq $tlb_flush_return, IST_RIP
	je flush_stub
	.endif
	.if vector == 14
	mov %rax, CPU_EXC_RAX
	mov %cr2, %rax
	.endif
	mov $exception_frames + vector * 40, %esp
	iretq
	.set vector, vector + 1
	.endr

	.org exception_stubs + 32 * 32 /* an error if a stub is too long */
flush_stub:
	mov %cr3, %rax
	mov %rax, %cr3
	iretq

	.balign 8
exception_frames:
	.set vector, 0
	.rept 32
	.quad exception_entries + vector * 32, USER_CS, RFLAGS_FIXED, IST_ERROR, USER_DS
	.set vector, vector + 1
	.endr

	/* CPL 3. */
	.balign 64
exception_entries:
	.set vector, 0
	.rept 32
	.balign 32
	HAS_ERROR vector
	.if vector == 14
	mov %rax, CPU_EXC_CR2
	.else
	mov %rax, CPU_EXC_RAX
	.endif
	.if !has_error
	movq $0, IST_ERROR
	.endif
	mov $vector, %eax
	jmp exception_common
	.set vector, vector + 1
	.endr

	.org exception_entries + 32 * 32
exception_common:
	mov %rcx, CPU_EXC_RCX
	mov %rdx, CPU_EXC_RDX
	mov CPU_KSTACK_TOP, %rsp
	mov IST_RIP, %rcx
	lea -KERNEL_BASE(%rcx), %rdx
	cmp $(KERNEL_END - KERNEL_BASE), %rdx
	jae 1f
	lea -VDSO_ADDR(%rcx), %rdx
	cmp $(SITE_STUBS_ADDR - VDSO_ADDR), %rdx
	jb 1f
	/* Kernel code, but perhaps on an application's stack. */
	lea -SITE_STUBS_ADDR(%rcx), %rdx
	cmp $SITE_STUBS_SIZE, %rdx
	jb exception_in_stub
	cmp $stubs_start, %rcx
	jb 2f
	cmp $stubs_end, %rcx
	jb exception_in_stub
2:
	mov IST_RSP, %rsp
	and $-16, %rsp
1:
	pushq $USER_DS
	pushq IST_RSP
	pushq IST_RFLAGS
	pushq $USER_CS
	push %rcx
	pushq $-1
	push %rdi
	push %rsi
	pushq CPU_EXC_RDX
	pushq CPU_EXC_RCX
	pushq CPU_EXC_RAX
	push %r8
	push %r9
	push %r10
	push %r11
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %rdi
	mov %eax, %esi
	mov IST_ERROR, %rdx
	mov CPU_EXC_CR2, %rcx
	jmp host_trap_entry

	/*
	 * A single step into a redirected call goes on without TF; AC makes syscall_direct_entry look
	 * at percpu->stepped.
	 */
exception_in_stub:
	cmp $1, %eax
	jne 1f
	mov IST_RFLAGS, %rdx
	and $(RFLAGS_TF | RFLAGS_AC), %edx
	mov %rdx, CPU_STEPPED
	andl $~RFLAGS_TF, IST_RFLAGS
	orl $RFLAGS_AC, IST_RFLAGS
	mov CPU_EXC_RAX, %rax
	mov CPU_EXC_RCX, %rcx
	mov CPU_EXC_RDX, %rdx
	mov $IST_RIP, %esp
	iretq
1:
	mov $PANIC_STACK_TOP, %esp
	mov %eax, %edi
	mov %rcx, %rsi
	mov IST_ERROR, %rdx
	mov CPU_EXC_CR2, %rcx
	mov IST_RSP, %r8
	call trap_in_stub
	ud2

	.section .note.GNU-stack, "", @progbits
