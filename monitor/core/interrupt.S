/* SPDX-License-Identifier: ISC */
/*
 * What C cannot say: code that signal handlers recognise by its address (interrupt.h), and a
 * change of stack.
 */
#include <asm/errno.h>

    .section .text.hot, "ax", @progbits /* FORK_PATH */

/* s64 interruptible_syscall(volatile int *flag, long nr, a, b, c, d, e, f) */
    .globl interruptible_syscall, interruptible_begin, interruptible_end, interruptible_cancel
    .hidden interruptible_syscall, interruptible_begin, interruptible_end, interruptible_cancel
    .type interruptible_syscall, @function
interruptible_syscall:
    mov %rdi, %r11
    mov %rsi, %rax
    mov %rdx, %rdi
    mov %rcx, %rsi
    mov %r8, %rdx
    mov %r9, %r10
    mov 8(%rsp), %r8
    mov 16(%rsp), %r9
interruptible_begin:
    cmpl $0, (%r11)
    jne interruptible_cancel
    syscall
interruptible_end:
    ret
interruptible_cancel:
    mov $-EINTR, %rax
    ret
    .size interruptible_syscall, . - interruptible_syscall

/* size_t guarded_copy(void *dst, const void *src, size_t n) */
    .globl guarded_copy, guarded_copy_insn, guarded_copy_fixup
    .hidden guarded_copy, guarded_copy_insn, guarded_copy_fixup
    .type guarded_copy, @function
guarded_copy:
    mov %rdx, %rcx
guarded_copy_insn:
    rep movsb
guarded_copy_fixup:
    mov %rcx, %rax
    ret
    .size guarded_copy, . - guarded_copy

/* void stack_call(void *top, void (*fn)(void *), void *arg) */
    .globl stack_call
    .hidden stack_call
    .type stack_call, @function
stack_call:
    mov %rdi, %rsp
    and $-16, %rsp
    xor %ebp, %ebp
    mov %rdx, %rdi
    call *%rsi
    ud2
    .size stack_call, . - stack_call

    .section .note.GNU-stack, "", @progbits
