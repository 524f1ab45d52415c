/* SPDX-License-Identifier: ISC */
/*
 * The kernel's image header, its first instructions, and the way of a system call into the kernel
 * and back.
 *
 * Everything but the first lines of lstar_stub runs at CPL 3, and so does that on a KVM that runs
 * guests in ring 3 (there `syscall` keeps the privilege level and sysret faults, so that the ways
 * back are iretq and jmp). Interrupts may arrive at any instruction: within the kernel's window
 * they only set percpu->irq_pending (abi/image.h). What lies in the section .stubs may run without
 * a kernel stack: it never faults, and it touches no memory below the application's RSP.
 */
#include "kernel/arch/x86_64/offsets.h"

	/* struct kernel_image, abi/image.h */
	.section .image_header, "a", @progbits
	.quad 0x6b2d736f74696d
	.quad kernel_end
	.quad kernel_entry
	.quad clone_entry
	.quad lstar_stub
	.quad exception_stubs
	.quad kernel_text_end
	.quad kernel_rodata_end
	.quad boot_tables
	.quad host_trap_entry
	.quad exit_restart
	.quad exit_end
	.quad exit_restart
	.quad stubs_start
	.quad stubs_end

	.section .text
	.globl kernel_entry
kernel_entry:
	mov $boot_stack_top, %esp
	xor %ebp, %ebp
	call arch_start
	ud2

	/* The one site that makes hypercalls under kvm. lstar_stub clobbers RCX, RDX and R11. */
	.balign 16
	.globl hypercall_kvm
hypercall_kvm:
	syscall
hypercall_return:
	ret

	/*
	 * Drops all cached translations: exceptions.S recognises the address and reloads CR3 in ring 0.
	 * Clobbers RAX.
	 */
	.balign 16
	.globl tlb_flush_kvm, tlb_flush_return
tlb_flush_kvm:
	int3
tlb_flush_return:
	ret

	.section .stubs, "ax", @progbits

	/* To CPL 3 with constant registers; RFLAGS without TF, DF, NT, AC. */
	.balign 8
trap_return_frame:
	.quad syscall_trap_entry, USER_CS, RFLAGS_FIXED, 0, USER_DS

	/* MSR_LSTAR. RCX: address after the `syscall`; R11: RFLAGS. CPL 0 on VT-x and SVM. */
	.balign 64
	.globl lstar_stub
lstar_stub:
	cmp $hypercall_return, %rcx
	jne 1f
	out %al, $HYPERCALL_PORT
	mov %rsp, %rdx
	pushq $USER_DS
	push %rdx
	push %r11
	pushq $USER_CS
	push %rcx
	iretq
1:
	mov %rsp, CPU_USER_RSP
	mov $trap_return_frame, %esp
	iretq

	/*
	 * The trapframe of a system call, except for flags. RAX: number. RCX: address to return to. R11
	 * must hold flags after it.
	 */
	.macro PUSH_CALL_TOP
	mov %rsp, CPU_USER_RSP
	mov CPU_KSTACK_TOP, %rsp
	pushq $USER_DS
	pushq CPU_USER_RSP
	.endm
	.macro PUSH_CALL_REST
	pushq $USER_CS
	push %rcx
	push %rax
	push %rdi
	push %rsi
	push %rdx
	push %rcx
	pushq $-38 /* ENOSYS */
	push %r8
	push %r9
	push %r10
	.endm
	.macro PUSH_SAVED
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	.endm

	/* A `syscall` that trapped: RCX after it, R11 flags, percpu->user_rsp. */
	.balign 64
syscall_trap_entry:
	mov CPU_KSTACK_TOP, %rsp
	pushq $USER_DS
	pushq CPU_USER_RSP
	push %r11
	PUSH_CALL_REST
	push %r11
	PUSH_SAVED
	mov %rcx, %rdi
	mov %rsp, %rbx
	and $-16, %rsp
	jmp syscall_trapped

	/*
	 * From the stub of a redirected site, on the application's stack: RCX = address after the
	 * site's kept `syscall`, RAX = number, everything else the application's.
	 */
	.balign 64
	.globl syscall_direct_entry
syscall_direct_entry:
	PUSH_CALL_TOP
	pushfq
	PUSH_CALL_REST
	mov (FRAME_RFLAGS - FRAME_R10)(%rsp), %r11
	push %r11
	PUSH_SAVED
	test $RFLAGS_UNUSUAL, %r11d
	jnz direct_unusual
direct_call:
	mov %rsp, %rdi
	mov $1, %esi
	sub $8, %rsp
	call syscall_dispatch
	add $8, %rsp

	/*
	 * The way out. RSP = the frame at the top of the thread's kernel stack. An interrupt from here
	 * to exit_end goes back to exit_restart: the frame is only read (or written with what it must
	 * hold), so that any part may run twice.
	 */
	.globl exit_restart
exit_restart:
	cmpl $0, CPU_IRQ_PENDING
	jne exit_slow
	mov CPU_ATTENTION, %rcx
	cmpl $0, (%rcx)
	jne exit_slow
	mov FRAME_RIP(%rsp), %rcx
	mov %rcx, %rax
	shr $47, %rax
	jnz exit_bad_rip
	mov FRAME_RFLAGS(%rsp), %r11
	cmp FRAME_RCX(%rsp), %rcx
	jne exit_iret
	cmp FRAME_R11(%rsp), %r11
	jne exit_iret
	test $~RFLAGS_USUAL, %r11d
	jnz exit_iret
	/* As after a sysret: RCX = RIP, R11 = flags. First put the status flags together in AX. */
	mov %r11d, %eax
	shl $8, %eax
	bt $11, %r11d
	setc %al
	mov FRAME_R15(%rsp), %r15
	mov FRAME_R14(%rsp), %r14
	mov FRAME_R13(%rsp), %r13
	mov FRAME_R12(%rsp), %r12
	mov FRAME_RBP(%rsp), %rbp
	mov FRAME_RBX(%rsp), %rbx
	mov FRAME_R10(%rsp), %r10
	mov FRAME_R9(%rsp), %r9
	mov FRAME_R8(%rsp), %r8
	mov FRAME_RDX(%rsp), %rdx
	mov FRAME_RSI(%rsp), %rsi
	mov FRAME_RDI(%rsp), %rdi
	add $0x7f, %al /* OF: 1 + 127 overflows */
	sahf           /* SF, ZF, AF, PF, CF */
	mov FRAME_RAX(%rsp), %rax
	mov FRAME_RSP(%rsp), %rsp
	jmp *%rcx
exit_iret:
	and $RFLAGS_USER, %r11d
	or $RFLAGS_FIXED, %r11d
	mov %r11, FRAME_RFLAGS(%rsp)
	movq $USER_CS, FRAME_CS(%rsp)
	movq $USER_DS, FRAME_SS(%rsp)
	mov FRAME_R15(%rsp), %r15
	mov FRAME_R14(%rsp), %r14
	mov FRAME_R13(%rsp), %r13
	mov FRAME_R12(%rsp), %r12
	mov FRAME_RBP(%rsp), %rbp
	mov FRAME_RBX(%rsp), %rbx
	mov FRAME_R11(%rsp), %r11
	mov FRAME_R10(%rsp), %r10
	mov FRAME_R9(%rsp), %r9
	mov FRAME_R8(%rsp), %r8
	mov FRAME_RAX(%rsp), %rax
	mov FRAME_RCX(%rsp), %rcx
	mov FRAME_RDX(%rsp), %rdx
	mov FRAME_RSI(%rsp), %rsi
	mov FRAME_RDI(%rsp), %rdi
	add $FRAME_RIP, %rsp
	iretq
	.globl exit_end
exit_end:

	/* Single-stepped, or with AC, DF or NT set. */
direct_unusual:
	mov CPU_STEPPED, %rax
	test %rax, %rax
	jz 1f
	and $~RFLAGS_AC, %r11
	or %rax, %r11
	mov %r11, FRAME_R11(%rsp)
	mov %r11, FRAME_RFLAGS(%rsp)
	movq $0, CPU_STEPPED
1:
	pushq $RFLAGS_FIXED
	popfq
	jmp direct_call

	.section .text
syscall_trapped:
	call redirect_site
	mov %rbx, %rdi
	xor %esi, %esi
	call syscall_dispatch
	mov %rbx, %rsp
	jmp exit_restart

exit_slow:
	mov %rsp, %rbx
	mov %rsp, %rdi
	sub $8, %rsp
	call arch_exit_work
	mov %rbx, %rsp
	jmp exit_restart

exit_bad_rip:
	mov %rsp, %rbx
	sub $8, %rsp
	call arch_exit_bad_rip
	mov %rbx, %rsp
	jmp exit_restart

	/*
	 * abi/image.h: RSP = RDI = frame, RSI = vector, RDX = error code, RCX = CR2. exceptions.S
	 * arrives here as well.
	 */
	.balign 16
	.globl host_trap_entry
host_trap_entry:
	mov %rdi, %rbx
	and $-16, %rsp
	cmp $0x100, %rsi /* SYSCALL_VECTOR */
	je 1f
	call trap_handle
	mov %rbx, %rsp
	lea FRAME_SIZE(%rbx), %rax
	cmp CPU_KSTACK_TOP, %rax
	je exit_restart
	/* The kernel itself was interrupted, by an exception only. */
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rax
	pop %rcx
	pop %rdx
	pop %rsi
	pop %rdi
	add $8, %rsp
	iretq
1:
	mov FRAME_RIP(%rbx), %rdi
	jmp syscall_trapped

	.section .bss
	.balign 4096
	.globl boot_tables
boot_tables:
	.skip 4096 * 9 /* BOOT_TABLES */
	.skip 16384
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
