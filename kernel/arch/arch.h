/* SPDX-License-Identifier: ISC */
/*
 * What the rest of the kernel may know of the processor. The same interface serves both backends: a
 * trap is a trap whether it came through the IDT of a VM or through a host signal.
 *
 * Who runs when: one vCPU per member. The kernel is never preempted by another thread of the
 * member; an interrupt that lands while kernel code runs (RIP in the kernel's window) only sets
 * percpu->irq_pending, which the way out to the application looks at. Kernel code never touches
 * FPU, SSE, FS or GS: these belong to the application and stay in the registers until
 * context_switch or fpu_save.
 */
#ifndef KERNEL_ARCH_ARCH_H
#define KERNEL_ARCH_ARCH_H

#include "abi/boot.h"
#include "abi/image.h" /* struct trapframe */
#include "abi/layout.h"

/*
 * What the processor keeps of a thread; struct thread begins with it (kernel/task/thread.h). All
 * but the stack is valid while the thread does not run.
 */
struct arch_thread {
	u64 ksp;           /* saved kernel stack pointer */
	u64 kstack_top;
	void *xsave;       /* 64-byte aligned */
	u64 fsbase, gsbase;
};
struct thread;

/* The application's registers, while the thread is in the kernel. */
static inline struct trapframe *thread_frame(struct thread *t)
{
	return (struct trapframe *)((struct arch_thread *)t)->kstack_top - 1;
}

/*
 * At PERCPU_ADDR, so that assembly reaches it with absolute addresses. Offsets of the first fields
 * are in kernel_entry.S.
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
	u64 syscalls_direct, syscalls_trapped, sites, faults, interrupts; /* 256: counts */
};

#define PERCPU ((struct percpu *)PERCPU_ADDR)
#define current (PERCPU->current)

/* Page-fault error code bits, as the processor gives them. */
enum { FAULT_PRESENT = 1, FAULT_WRITE = 2, FAULT_USER = 4, FAULT_FETCH = 16 };

void arch_init(void);

/*
 * Starts (or resumes) the application with these registers; the frame is consumed. Runs exit work
 * first.
 */
_Noreturn void arch_return_to_user(struct trapframe *frame);

/* Makes t's first switch-in call fn(arg) on its kernel stack. fn must not return. */
void arch_thread_init_kernel(struct thread *t, void (*fn)(void *), void *arg);
/*
 * Saves FPU, FS, GS and kernel context of the current thread, loads next's. Sets percpu->current
 * and kstack_top; attention is the caller's.
 */
void context_switch(struct thread *next);

/*
 * Fork: saves the current thread (kernel context, FPU, bases) in its own memory and makes the clone
 * hypercall. Returns 0 in the parent (or -errno), 1 in the clone, whose registers, FPU and FS/GS
 * are the thread's.
 */
int arch_clone(u32 member);

/* FPU state in XSAVE standard format, 64-byte aligned, BOOT_INFO->xsave_size bytes. */
void fpu_save(void *area);
/* The area must be valid: fpu_area_sanitize first if the application wrote it. */
void fpu_restore(const void *area);
int fpu_area_sanitize(void *area, u32 size); /* 0 or -EINVAL */
void fpu_reset(void *area); /* fills area with the initial state of a new program */

u64 fsbase_get(void);
void fsbase_set(u64 base);
u64 gsbase_get(void);
void gsbase_set(u64 base);

static inline u64 rdtsc(void)
{
	u32 lo, hi;
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

/*
 * Application memory. Any address may be passed; a fault that the address space cannot serve ends
 * the copy. copy_in/copy_out: 0 or -EFAULT. copy_some: bytes NOT copied. string_in: length without
 * NUL, -EFAULT, or -ENAMETOOLONG if no NUL within size. Kernel and kin addresses are legal on the
 * kernel's side; an application's pointer into the kernel's window is -EFAULT on its side.
 */
int copy_in(void *dst, const void *user_src, size_t n);
int copy_out(void *user_dst, const void *src, size_t n);
size_t copy_in_some(void *dst, const void *user_src, size_t n);
size_t copy_out_some(void *user_dst, const void *src, size_t n);
s64 string_in(char *dst, const void *user_src, size_t size);
int clear_out(void *user_dst, size_t n);
/* Atomic accesses to application words for futexes: 0 or -EFAULT. */
int user_load32(const u32 *addr, u32 *value);
int user_cmpxchg32(u32 *addr, u32 expected, u32 desired, u32 *found);

/* Called by the entry code. In kernel/arch/x86_64/exceptions.c. */
void trap_handle(struct trapframe *frame, u64 vector, u64 error, u64 cr2);

/*
 * The redirected call sites (redirect.c). Called for each `syscall` that trapped; rip is the
 * address after it.
 */
void redirect_site(u64 rip);
/* Text was unmapped or replaced: its stubs may be reused. */
void redirect_range_gone(u64 addr, u64 len);

#endif
