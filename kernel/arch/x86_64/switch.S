/* SPDX-License-Identifier: ISC */
/*
 * Changing kernel stacks: between the threads of a member, into a new thread, and into the clone of
 * a VM. A stack that is left holds the callee-saved registers and a return address; thread->ksp
 * points to them.
 */
#include "kernel/arch/x86_64/offsets.h"

	.macro SAVE_CALLEE
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	.endm
	.macro RESTORE_CALLEE
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	.endm

	.section .text

	/* void stack_switch(struct thread *from or NULL, struct thread *to) */
	.balign 16
	.globl stack_switch
stack_switch:
	SAVE_CALLEE
	test %rdi, %rdi
	jz 1f
	mov %rsp, THREAD_KSP(%rdi)
1:
	mov THREAD_KSP(%rsi), %rsp
	RESTORE_CALLEE
	ret

	/* A new thread's first return address. RBX = fn, R12 = arg. */
	.globl thread_enter_kernel
thread_enter_kernel:
	mov %r12, %rdi
	xor %ebp, %ebp
	call *%rbx
	ud2

	/*
	 * int clone_save(struct thread *self, u32 member): makes the clone hypercall. The clone's
	 * snapshot of this stack is intact from ksp upwards, whatever the parent does with it later.
	 */
	.balign 16
	.globl clone_save
clone_save:
	SAVE_CALLEE
	mov %rsp, THREAD_KSP(%rdi)
	mov %esi, %edi
	sub $8, %rsp
	call arch_clone_parent
	add $8, %rsp
	RESTORE_CALLEE
	ret

	/*
	 * First instructions of a cloned VM: constant registers, memory as at the hypercall. Returns 1
	 * from clone_save.
	 */
	.globl clone_entry
clone_entry:
	mov CPU_CURRENT, %rax
	mov THREAD_KSP(%rax), %rsp
	sub $8, %rsp
	call arch_clone_child
	add $8, %rsp
	mov $1, %eax
	RESTORE_CALLEE
	ret

	/*
	 * _Noreturn void frame_resume(struct trapframe *): the frame is at the top of the current
	 * thread's stack.
	 */
	.globl frame_resume
frame_resume:
	mov %rdi, %rsp
	jmp exit_restart

	.section .note.GNU-stack, "", @progbits
