/* SPDX-License-Identifier: ISC */
/*
 * Crossings between the guest's kernel and the monitor in one host process. An interrupt may
 * arrive at any instruction here: its handler needs neither FS nor this stack, and only sets
 * flags.
 */
#include <asm/unistd.h>

#include "abi/layout.h"
#include "monitor/backend/process/process.h"

#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define A(field) process_anchor+field(%rip)

    .section .text.hot, "ax", @progbits /* FORK_PATH */

/*
 * Called by the guest's kernel with the C calling convention (on its kernel stack, FS and FPU the
 * application's). The frame at HYPERCALL_ADDR holds number, arguments and result.
 */
    .globl process_hypercall_entry
    .hidden process_hypercall_entry
    .type process_hypercall_entry, @function
process_hypercall_entry:
    push %rbp
    push %rbx
    mov %rsp, A(ANCHOR_KERNEL_STACK)
    mov A(ANCHOR_MONITOR_STACK), %rsp
    lea process_anchor+ANCHOR_XSAVE_AREA(%rip), %rbp

    testl $PROCESS_FSGSBASE, A(ANCHOR_FLAGS)
    jz 1f
    rdfsbase %rbx
    mov A(ANCHOR_MONITOR_FS), %rax
    wrfsbase %rax
    jmp 2f
1:  sub $16, %rsp
    mov $__NR_arch_prctl, %eax
    mov $ARCH_GET_FS, %edi
    mov %rsp, %rsi
    syscall
    mov (%rsp), %rbx
    add $16, %rsp
    mov A(ANCHOR_MONITOR_FS), %rdi
    call process_set_fsbase
2:
    mov A(ANCHOR_XSAVE_MASK), %eax
    mov 4+A(ANCHOR_XSAVE_MASK), %edx
    testl $PROCESS_XSAVEC, A(ANCHOR_FLAGS)
    jz 3f
    xsavec64 (%rbp)
    jmp 4f
3:  xsave64 (%rbp)
4:
    mov A(ANCHOR_MEMBER), %rdi
    call process_dispatch

    mov A(ANCHOR_XSAVE_MASK), %eax
    mov 4+A(ANCHOR_XSAVE_MASK), %edx
    xrstor64 (%rbp)
    testl $PROCESS_FSGSBASE, A(ANCHOR_FLAGS)
    jz 5f
    wrfsbase %rbx
    jmp 6f
5:  mov %rbx, %rdi
    call process_set_fsbase
6:
    mov A(ANCHOR_KERNEL_STACK), %rsp
    pop %rbx
    pop %rbp
    ret
    .size process_hypercall_entry, . - process_hypercall_entry

/* void process_set_fsbase(u64 base) */
    .globl process_set_fsbase
    .hidden process_set_fsbase
    .type process_set_fsbase, @function
process_set_fsbase:
    mov %rdi, %rsi
    mov $ARCH_SET_FS, %edi
    mov $__NR_arch_prctl, %eax
    syscall
    ret
    .size process_set_fsbase, . - process_set_fsbase

/* void process_enter(u64 rip): the boot stack is the kernel's, at the end of its heap. */
    .globl process_enter
    .hidden process_enter
    .type process_enter, @function
process_enter:
    mov $KERNEL_HEAP_END, %esp
    xor %eax, %eax
    testl $PROCESS_FSGSBASE, A(ANCHOR_FLAGS)
    jz 1f
    wrfsbase %rax
1:  xor %ebx, %ebx
    xor %ecx, %ecx
    xor %edx, %edx
    xor %esi, %esi
    xor %ebp, %ebp
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    xor %r11d, %r11d
    xor %r12d, %r12d
    xor %r13d, %r13d
    xor %r14d, %r14d
    xor %r15d, %r15d
    cld
    jmp *%rdi
    .size process_enter, . - process_enter

    .globl process_restorer
    .hidden process_restorer
    .type process_restorer, @function
process_restorer:
    mov $__NR_rt_sigreturn, %eax
    syscall
    ud2
    .size process_restorer, . - process_restorer

/* RDI, RSI, RDX are process_fault_report's arguments; FS may be anybody's. */
    .globl process_fault_entry
    .hidden process_fault_entry
    .type process_fault_entry, @function
process_fault_entry:
    mov A(ANCHOR_MONITOR_STACK), %rsp
    mov %rdi, %rbx
    mov %rsi, %rbp
    mov %rdx, %r12
    mov A(ANCHOR_MONITOR_FS), %rdi
    testl $PROCESS_FSGSBASE, A(ANCHOR_FLAGS)
    jz 1f
    wrfsbase %rdi
    jmp 2f
1:  call process_set_fsbase
2:  mov %rbx, %rdi
    mov %rbp, %rsi
    mov %r12, %rdx
    call process_fault_report
    ud2
    .size process_fault_entry, . - process_fault_entry

    .section .note.GNU-stack, "", @progbits
