/* SPDX-License-Identifier: ISC */
/*
 * What assembly knows of C: absolute addresses of struct percpu's fields, offsets into struct
 * trapframe and struct thread, segment selectors, masks of RFLAGS. arch_init.c asserts that they
 * are right. Plain macros only.
 */
#ifndef KERNEL_ARCH_OFFSETS_H
#define KERNEL_ARCH_OFFSETS_H

#include "abi/layout.h"

/* struct percpu */
#define CPU_KSTACK_TOP (PERCPU_ADDR + 0)
#define CPU_USER_RSP (PERCPU_ADDR + 8)
#define CPU_CURRENT (PERCPU_ADDR + 16)
#define CPU_IRQ_PENDING (PERCPU_ADDR + 24)
#define CPU_ATTENTION (PERCPU_ADDR + 32)
/* Scratch of exceptions.S, dead as soon as the trapframe is built. */
#define CPU_EXC_RAX (PERCPU_ADDR + 40)
#define CPU_EXC_RCX (PERCPU_ADDR + 48)
#define CPU_EXC_RDX (PERCPU_ADDR + 56)
#define CPU_EXC_CR2 (PERCPU_ADDR + 64)
/* TF and AC that the application had when it was single-stepped into a site's stub; 0 otherwise. */
#define CPU_STEPPED (PERCPU_ADDR + 72)

/* struct trapframe */
#define FRAME_R15 0
#define FRAME_R14 8
#define FRAME_R13 16
#define FRAME_R12 24
#define FRAME_RBP 32
#define FRAME_RBX 40
#define FRAME_R11 48
#define FRAME_R10 56
#define FRAME_R9 64
#define FRAME_R8 72
#define FRAME_RAX 80
#define FRAME_RCX 88
#define FRAME_RDX 96
#define FRAME_RSI 104
#define FRAME_RDI 112
#define FRAME_ORIG_RAX 120
#define FRAME_RIP 128
#define FRAME_CS 136
#define FRAME_RFLAGS 144
#define FRAME_RSP 152
#define FRAME_SS 160
#define FRAME_SIZE 168

/* struct thread */
#define THREAD_KSP 0

#define USER_CS 0x33
#define USER_DS 0x2b

/*
 * An exception's frame at the top of IST stack 1; the error code, where there is one, lies below
 * RIP.
 */
#define IST_TOP (IST_STACKS_ADDR + IST_STACK_SIZE)
#define IST_ERROR (IST_TOP - 48)
#define IST_RIP (IST_TOP - 40)
#define IST_RFLAGS (IST_TOP - 24)
#define IST_RSP (IST_TOP - 16)
#define PANIC_STACK_TOP (IST_STACKS_ADDR + 2 * IST_STACK_SIZE)

#define RFLAGS_TF 0x100
#define RFLAGS_AC 0x40000
/* AC, NT, DF, TF: the kernel runs without them. */
#define RFLAGS_UNUSUAL 0x44500
/* Status flags, IF and the bit that is always set: all that a return without iretq restores. */
#define RFLAGS_USUAL 0xad7
/* What the application may set: ID, AC, RF, NT, OF, DF, TF, SF, ZF, AF, PF, CF. */
#define RFLAGS_USER 0x254dd5
/* IF and the bit that is always set. */
#define RFLAGS_FIXED 0x202

#endif
