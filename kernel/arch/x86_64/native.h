/* SPDX-License-Identifier: ISC */
/*
 * The part of arch.h that is x86-64: what must be inlined, and what lies in memory that assembly
 * and the monitor know. Included by arch.h alone. Another architecture has a folder with a header
 * of this name that defines the same types and functions.
 */
#ifndef KERNEL_ARCH_NATIVE_H
#define KERNEL_ARCH_NATIVE_H

#include <stdatomic.h>

#include "abi/boot.h"
#include "abi/image.h" /* struct trapframe */
#include "abi/layout.h"

#define ARCH_NAME "x86_64"  /* uname(2), AT_PLATFORM */
#define ARCH_CALL_BYTES 2u  /* of the instruction that makes a system call */

struct thread;

struct arch_thread {
	u64 ksp;           /* saved kernel stack pointer */
	u64 kstack_top;
	void *xsave;       /* 64-byte aligned */
	u64 fsbase, gsbase;
	u64 trap_vector, trap_error, trap_cr2; /* of the last exception, for sigcontext */
};

/*
 * At PERCPU_ADDR, so that assembly reaches it with absolute addresses. Offsets of the first fields
 * are in offsets.h.
 */
struct percpu {
	u64 kstack_top;           /* 0: current thread's kernel stack, where its trapframe ends */
	u64 user_rsp;             /* 8: scratch of the entry paths */
	struct thread *current;   /* 16 */
	u32 irq_pending;          /* 24: an interrupt arrived while the kernel ran */
	u32 irq_count;            /* 28: interrupts ever, counted by the backend */
	_Atomic u32 *attention;   /* 32: in kin: others store 1: look at signals on the way out */
	u64 scratch[11];          /* 40: entry paths only */
	u64 host_fsbase;          /* 128: process backend */
	u64 pad[15];
	struct cpu_counts counts; /* 256 */
};

#define PERCPU ((struct percpu *)PERCPU_ADDR)
#define current (PERCPU->current)

/* ---- what the member's processor has been asked to do (arch.h says what each means) */

static inline void cpu_follow_attention(_Atomic u32 *attention)
{
	PERCPU->attention = attention;
}

static inline _Atomic u32 *cpu_attention(void)
{
	return PERCPU->attention;
}

static inline void cpu_ask_exit_work(void)
{
	PERCPU->irq_pending = 1;
}

static inline bool cpu_exit_work_asked(void)
{
	return *(volatile u32 *)&PERCPU->irq_pending;
}

static inline void cpu_exit_work_begins(void)
{
	*(volatile u32 *)&PERCPU->irq_pending = 0;
}

static inline u32 cpu_interrupts(void)
{
	return *(volatile u32 *)&PERCPU->irq_count;
}

static inline struct cpu_counts *cpu_counts(void)
{
	return &PERCPU->counts;
}

/* ---- registers of the application */

static inline struct trapframe *thread_frame(struct thread *t)
{
	return (struct trapframe *)((struct arch_thread *)t)->kstack_top - 1;
}

static inline u64 frame_ip(const struct trapframe *f)
{
	return f->rip;
}

static inline u64 frame_sp(const struct trapframe *f)
{
	return f->rsp;
}

static inline void frame_set_ip(struct trapframe *f, u64 ip)
{
	f->rip = ip;
}

static inline void frame_set_sp(struct trapframe *f, u64 sp)
{
	f->rsp = sp;
}

static inline u64 frame_call(const struct trapframe *f)
{
	return f->orig_rax;
}

static inline void frame_set_call(struct trapframe *f, u64 number)
{
	f->orig_rax = number;
}

static inline bool frame_is_call(const struct trapframe *f)
{
	return f->orig_rax != ~0ull;
}

static inline void frame_end_call(struct trapframe *f)
{
	f->orig_rax = ~0ull;
}

static inline void frame_repeat_call(struct trapframe *f, u64 number)
{
	f->rax = number;
	f->rip -= ARCH_CALL_BYTES; /* a redirected site keeps a real `syscall` there */
}

#define FRAME_TRAP_FLAG 0x100u

static inline void frame_set_step(struct trapframe *f, bool on)
{
	f->rflags = on ? f->rflags | FRAME_TRAP_FLAG : f->rflags & ~(u64)FRAME_TRAP_FLAG;
}

static inline u64 frame_argument(const struct trapframe *f, u32 i)
{
	switch (i) {
	case 0: return f->rdi;
	case 1: return f->rsi;
	case 2: return f->rdx;
	case 3: return f->r10;
	case 4: return f->r8;
	default: return f->r9;
	}
}

static inline s64 frame_result(const struct trapframe *f)
{
	return (s64)f->rax;
}

static inline void frame_set_result(struct trapframe *f, s64 result)
{
	f->rax = (u64)result;
}

/* ---- instructions */

static inline u64 arch_cycles(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

static inline u64 arch_cycles_ordered(void)
{
	u32 lo, hi;

	__asm__ volatile("lfence\n\trdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

static inline s64 arch_user_call(s64 nr, s64 a, s64 b)
{
	s64 result;

	__asm__ volatile("syscall" : "=a"(result) : "0"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
	return result;
}

#endif
