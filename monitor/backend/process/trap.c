/* SPDX-License-Identifier: ISC */
/*
 * Host signals as the processor's traps. The handler runs on the alternate stack with the
 * application's FS (no TLS, no stack protector, no libc: see monitor_bare_sources), changes the
 * interrupted context so that the return from the signal enters the guest's kernel, and is done:
 * nothing stays on the alternate stack when a thread switch happens.
 *
 * While it runs only the interrupts are blocked; the interrupted mask, which sigreturn restores,
 * is always empty.
 */
#include <linux/audit.h>
#include <signal.h>
#include <ucontext.h>

#include "abi/layout.h"
#include "monitor/backend/process/process.h"
#include "monitor/core/interrupt.h"

#define VECTOR_DB 1
#define VECTOR_GP 13
#define VECTOR_PF 14
#define ERROR_INT80 (0x80 * 8 + 2) /* what a gate that may not be used raises: IDT entry 0x80 */
#define INT80_LENGTH 2
#define RFLAGS_TF 0x100
#define RFLAGS_DF 0x400
#define RFLAGS_NT 0x4000
#define RFLAGS_RF 0x10000
#define RFLAGS_AC 0x40000
#define USER_CS 0x33
#define USER_SS 0x2b

#define KSTACK_TOP (*(volatile u64 *)(PERCPU_ADDR + PERCPU_KSTACK_TOP))
#define STEPPED (*(volatile u64 *)(PERCPU_ADDR + PERCPU_STEPPED))
#define IRQ_PENDING (*(volatile u32 *)(PERCPU_ADDR + PERCPU_IRQ_PENDING))
#define IRQ_COUNT (*(volatile u32 *)(PERCPU_ADDR + PERCPU_IRQ_COUNT))

/* On a page of its own, with the FPU state: a clone copies it as a whole. */
struct process_anchor process_anchor __attribute__((aligned(4096)));

_Static_assert(offsetof(struct process_anchor, monitor_fs) == ANCHOR_MONITOR_FS, "entry.S");
_Static_assert(offsetof(struct process_anchor, monitor_stack) == ANCHOR_MONITOR_STACK, "entry.S");
_Static_assert(offsetof(struct process_anchor, kernel_stack) == ANCHOR_KERNEL_STACK, "entry.S");
_Static_assert(offsetof(struct process_anchor, xsave_mask) == ANCHOR_XSAVE_MASK, "entry.S");
_Static_assert(offsetof(struct process_anchor, flags) == ANCHOR_FLAGS, "entry.S");
_Static_assert(offsetof(struct process_anchor, xsave_area) == ANCHOR_XSAVE_AREA, "entry.S");

struct trap {
	u64 vector, error, cr2;
};

static bool in_monitor(u64 rip)
{
	return rip >= process_anchor.text_start && rip < process_anchor.text_end;
}

static bool in_kernel(u64 rip)
{
	/* From the vDSO up to the site stubs it is application code that the kernel provides. */
	return rip >= KERNEL_BASE && rip < KERNEL_END && !(rip >= VDSO_ADDR && rip < SITE_STUBS_ADDR);
}

/* Code of the guest's kernel that may run on an application's stack. */
static bool in_stubs(u64 rip)
{
	return (rip >= SITE_STUBS_ADDR && rip < SITE_STUBS_ADDR + SITE_STUBS_SIZE) ||
		   (rip >= process_anchor.image.stubs_start && rip < process_anchor.image.stubs_end);
}

/*
 * Where the frame goes: the thread's kernel stack, or further down if the kernel was already on a
 * stack of its own.
 */
static struct trapframe *frame_place(u64 rip, u64 rsp)
{
	u64 top = KSTACK_TOP;

	if (in_kernel(rip) && rsp > KERNEL_BASE && rsp <= KERNEL_END)
		top = ALIGN_DOWN(rsp, 16);
	return (struct trapframe *)(top - sizeof(struct trapframe));
}

static void frame_fill(struct trapframe *f, const greg_t *g, bool syscall)
{
	f->r15 = (u64)g[REG_R15];
	f->r14 = (u64)g[REG_R14];
	f->r13 = (u64)g[REG_R13];
	f->r12 = (u64)g[REG_R12];
	f->rbp = (u64)g[REG_RBP];
	f->rbx = (u64)g[REG_RBX];
	f->r11 = (u64)g[REG_R11];
	f->r10 = (u64)g[REG_R10];
	f->r9 = (u64)g[REG_R9];
	f->r8 = (u64)g[REG_R8];
	f->rax = (u64)g[REG_RAX];
	f->rcx = (u64)g[REG_RCX];
	f->rdx = (u64)g[REG_RDX];
	f->rsi = (u64)g[REG_RSI];
	f->rdi = (u64)g[REG_RDI];
	f->orig_rax = syscall ? (u64)g[REG_RAX] : ~0ull;
	f->rip = (u64)g[REG_RIP];
	f->cs = USER_CS;
	f->rflags = (u64)g[REG_EFL];
	f->rsp = (u64)g[REG_RSP];
	f->ss = USER_SS;
}

/* Lets the return from the signal enter the guest's kernel with this trap. */
static void trap_deliver(ucontext_t *uc, const struct trap *trap)
{
	greg_t *g = uc->uc_mcontext.gregs;
	struct trapframe *frame = frame_place((u64)g[REG_RIP], (u64)g[REG_RSP]);

	frame_fill(frame, g, trap->vector == SYSCALL_VECTOR);
	g[REG_RIP] = (greg_t)process_anchor.image.host_trap_entry;
	g[REG_RSP] = g[REG_RDI] = (greg_t)frame;
	g[REG_RSI] = (greg_t)trap->vector;
	g[REG_RDX] = (greg_t)trap->error;
	g[REG_RCX] = (greg_t)trap->cr2;
	g[REG_EFL] &= ~(greg_t)(RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC);
}

/*
 * The monitor and the kernel look at the flags before they block or leave. A kernel that is on
 * its way out has looked at irq_pending already: it is sent back to look again. The frame it was
 * leaving through is still complete.
 */
static void interrupt_deliver(ucontext_t *uc)
{
	greg_t *g = uc->uc_mcontext.gregs;
	const struct kernel_image *image = &process_anchor.image;
	u64 rip = (u64)g[REG_RIP];

	IRQ_COUNT++;
	if (!in_monitor(rip) && !in_kernel(rip)) {
		trap_deliver(uc, &(struct trap){.vector = INTERRUPT_VECTOR});
		return;
	}
	IRQ_PENDING = 1;
	*process_anchor.interrupted = 1;
	interruptible_fix(uc);
	if (rip >= image->exit_start && rip < image->exit_end) {
		g[REG_RIP] = (greg_t)image->exit_restart;
		g[REG_RSP] = (greg_t)(KSTACK_TOP - sizeof(struct trapframe));
	}
}

static void member_end(int sig, ucontext_t *uc, u64 addr)
{
	greg_t *g = uc->uc_mcontext.gregs;

	g[REG_RDI] = sig;
	g[REG_RSI] = g[REG_RIP];
	g[REG_RDX] = (greg_t)addr;
	g[REG_RIP] = (greg_t)process_fault_entry;
	g[REG_EFL] &= ~(greg_t)(RFLAGS_TF | RFLAGS_DF | RFLAGS_AC);
}

/* The monitor itself faulted. */
static void monitor_fault(int sig, ucontext_t *uc, u64 addr)
{
	if ((sig == SIGSEGV || sig == SIGBUS) && guarded_fix(uc))
		return;
	member_end(sig, uc, addr);
}

/*
 * The application steps into a redirected call: goes on without TF; AC makes the entry code look
 * at what is kept.
 */
static void step_hide(greg_t *g)
{
	STEPPED = (u64)g[REG_EFL] & (RFLAGS_TF | RFLAGS_AC);
	g[REG_EFL] = (g[REG_EFL] & ~(greg_t)RFLAGS_TF) | RFLAGS_AC;
}

static struct trap trap_of_signal(int sig, const siginfo_t *info, greg_t *g)
{
	struct trap trap = {
		.vector = (u64)g[REG_TRAPNO], .error = (u64)g[REG_ERR], .cr2 = (u64)g[REG_CR2]};

	if (sig == SIGSYS) {
		trap = (struct trap){.vector = SYSCALL_VECTOR};
		if (info->si_arch != AUDIT_ARCH_X86_64) {
			/*
			 * int 0x80: Linux would run it, unifork has no 32-bit calls; as in a VM it faults at
			 * the instruction.
			 */
			trap = (struct trap){.vector = VECTOR_GP, .error = ERROR_INT80};
			g[REG_RIP] -= INT80_LENGTH;
		}
	} else if (sig == SIGBUS && trap.vector == VECTOR_PF) {
		trap.error |= TRAP_ERROR_BUS;
	}
	return trap;
}

void process_signal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *g = uc->uc_mcontext.gregs;

	if (sig == process_anchor.interrupt_signal || sig == TIMER_SIGNAL) {
		interrupt_deliver(uc);
		return;
	}
	/* A fault signal that somebody sent is no trap: it ends this member like any other process. */
	if (info->si_code <= 0) {
		member_end(sig, uc, 0);
		return;
	}
	if (in_monitor((u64)g[REG_RIP])) {
		monitor_fault(sig, uc, (u64)info->si_addr);
		return;
	}
	struct trap trap = trap_of_signal(sig, info, g);
	if (!in_stubs((u64)g[REG_RIP]))
		trap_deliver(uc, &trap);
	else if (trap.vector == VECTOR_DB)
		step_hide(g);
	else
		member_end(sig, uc, trap.cr2);
}
