/* SPDX-License-Identifier: ISC */
/*
 * What the rest of the kernel may know of the processor. The same interface serves both backends: a
 * trap is a trap whether it came through the IDT of a VM or through a host signal.
 *
 * Who runs when: one vCPU per member. The kernel is never preempted by another thread of the
 * member; an interrupt that lands while kernel code runs (its address in the kernel's window) only
 * asks for exit work (cpu_ask_exit_work). Kernel code never touches the FPU, vectors or thread
 * pointers: these belong to the application.
 */
#ifndef KERNEL_ARCH_ARCH_H
#define KERNEL_ARCH_ARCH_H

#include "abi/boot.h"
#include "abi/layout.h"
#include "common/types.h"

struct thread;
struct trapframe;

/* What this member's processor did since the last look (kernel/kin/stats.c). */
struct cpu_counts {
	u64 syscalls_direct, syscalls_trapped, sites, faults, interrupts;
};

/*
 * native.h defines, for the architecture that the kernel is built for:
 *
 *   struct arch_thread   What the processor keeps of a thread; struct thread begins with it
 *                        (kernel/task/thread.h). All but the stack is valid while the thread does
 *                        not run.
 *   current              The thread that runs.
 *
 * and, inlined, what the rest of this comment lists. What others have asked of this processor:
 *
 *   cpu_follow_attention The word in kin that makes the way out look at signals: that of the
 *                        current process. cpu_attention: which one that is.
 *   cpu_ask_exit_work    The way out does its work. Every interrupt asks for it as well.
 *                        cpu_exit_work_asked; cpu_exit_work_begins takes the request.
 *   cpu_interrupts       Interrupts ever, modulo 2^32.
 *   cpu_counts           Where the counts above lie.
 *
 * The application's registers while the thread is in the kernel, thread_frame(t):
 *
 *   frame_ip, frame_sp, frame_set_ip, frame_set_sp
 *   frame_is_call        A system call that may have to be made again: false for faults,
 *                        interrupts, and calls that frame_end_call was told of.
 *   frame_call, frame_set_call, frame_argument(f, 0..5)   Its number and arguments, as they were at
 *                        its entry.
 *   frame_result, frame_set_result
 *   frame_set_step   A trap after the next instruction.
 *   frame_repeat_call    The application makes that system call (again) as soon as it goes on, with
 *                        the arguments that it had.
 *
 * Instructions:
 *
 *   arch_cycles          A clock that every processor of the host shares, in KIN->clock.tsc_khz.
 *                        arch_cycles_ordered is read after everything before it in program order.
 *   cpu_relax            In a loop that waits for another processor.
 *   arch_user_call       In application code (the vDSO): a system call of two arguments.
 */
#if defined(__x86_64__)
#include "kernel/arch/x86_64/native.h"
#else
#error "this architecture needs a folder in kernel/arch with a native.h"
#endif

/* What a page fault was. The values are those of x86's error code. */
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
 * Saves registers and kernel context of the current thread, loads next's. Sets current; whose
 * attention is followed is the caller's.
 */
void context_switch(struct thread *next);

/*
 * Fork: saves the current thread in its own memory and makes the clone hypercall. Returns 0 in the
 * parent (or -errno), 1 in the clone, whose registers are the thread's.
 */
int arch_clone(u32 member);

/*
 * Registers that the kernel itself does not use (FPU, vectors, thread pointers) stay in the
 * processor until another thread runs, and lie in the thread's area meanwhile.
 */
u64 arch_area_size(void);
/* A new thread with that stack and area (any alignment): as a new program finds the registers. */
void arch_thread_init(struct thread *t, void *kstack_top, void *area);
/* The current thread's registers for t, which has not run yet, with a thread pointer of its own. */
void arch_thread_copy(struct thread *t, bool set_tls, u64 tls);
void arch_set_tls(u64 tls); /* clone(CLONE_SETTLS) */
/* exec: the current thread's registers become a new program's, which begins at ip with stack sp. */
_Noreturn void arch_start_program(u64 ip, u64 sp);

/*
 * What a debugger sees of t, which is not the current thread and goes to the application with f:
 * the set of registers that a core file's note of that type (NT_*) has; NULL: there is none.
 */
#define ARCH_REGS 27
struct arch_regs {
	u64 word[ARCH_REGS]; /* NT_PRSTATUS: struct user_regs_struct */
};
const void *arch_regset(struct thread *t, const struct trapframe *f, u32 type,
						struct arch_regs *regs, size_t *size);
/* The set of type NT_PRFPREG or NT_X86_XSTATE becomes data (aligned to 64 bytes). 0 or -EINVAL. */
s64 arch_regset_write(struct thread *t, u32 type, void *data, size_t size);
/*
 * The current thread stops for its tracer: its registers as NT_PRSTATUS, the others in its area;
 * and goes on, with those in its area and, unless NULL, these.
 */
void arch_regs_show(struct arch_regs *regs);
void arch_regs_resume(const struct arch_regs *regs);
/* Of struct arch_regs: */
#define ARCH_REGS_CALL 15   /* the number of the system call, or -1 */
#define ARCH_REGS_IP 16
#define ARCH_REGS_SP 19
#define ARCH_REGS_RESULT 10
#define ARCH_REGS_THREAD 21 /* the thread pointer */
#define ARCH_REGS_ADDRESS_END (1ull << 47) /* of what a program may have in the last */

/*
 * What a signal handler gets and gives back: kernel/signal decides which and where, the frame's
 * layout is Linux's for the architecture.
 */
struct signal_context {
	u64 mask;
	u64 alt_sp, alt_size;
	u32 alt_flags;
};
struct handler_call {
	int signal;
	u64 handler, restorer;
	const void *info; /* siginfo, info_size bytes; the rest of its 128 bytes is zero */
	size_t info_size;
};
u64 arch_signal_frame_size(void); /* the largest, with what it leaves free: AT_MINSIGSTKSZ */
u64 arch_signal_stack(const struct trapframe *f); /* below it the interrupted code keeps nothing */
u64 arch_signal_frame_place(u64 top);             /* the stack pointer of a frame below top */
/* Writes the frame below top and points the registers at the handler. 0 or -EFAULT. */
int arch_signal_frame_push(struct trapframe *f, u64 top, const struct handler_call *call,
	const struct signal_context *context);
/* The handler has returned: registers from the frame that it left. 0 or -EFAULT. */
int arch_signal_frame_pop(struct trapframe *f, struct signal_context *context);

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
/*
 * A structure that grew with Linux, of which the application knows its first user_size bytes: what
 * it lacks is 0 in dst, and what this kernel does not know must be 0 in it. 0, -EFAULT, -E2BIG.
 */
s64 struct_in(void *dst, size_t size, const void *user_src, u64 user_size);
int clear_out(void *user_dst, size_t n);
/* Atomic accesses to application words for futexes: 0 or -EFAULT. */
int user_load32(const u32 *addr, u32 *value);
int user_cmpxchg32(u32 *addr, u32 expected, u32 desired, u32 *found);

struct text;
void arch_describe_cpu(struct text *t, u64 khz); /* /proc/cpuinfo */

#include "kernel/arch/paging.h"
#include "kernel/arch/redirect.h"
#include "kernel/arch/syscall_numbers.h"

#endif
