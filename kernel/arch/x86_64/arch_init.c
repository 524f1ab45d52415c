/* SPDX-License-Identifier: ISC */
/* First C code of a fresh member, and the proof that assembly and C agree on their structures. */
#include "abi/hypercall.h"
#include "kernel/arch/arch_hooks.h"
#include "kernel/arch/x86_64/arch_internal.h"
#include "kernel/arch/x86_64/offsets.h"
#include "kernel/arch/paging.h"
#include "kernel/lib/lib.h"

#define CHECK(c) _Static_assert(c, #c)
#define CHECK_CPU(name, field) CHECK(name == PERCPU_ADDR + offsetof(struct percpu, field))
#define CHECK_FRAME(name, field) CHECK(name == offsetof(struct trapframe, field))

CHECK_CPU(CPU_KSTACK_TOP, kstack_top);
CHECK_CPU(CPU_USER_RSP, user_rsp);
/* `current` is a macro: it lies between its neighbours. */
CHECK(CPU_CURRENT == CPU_USER_RSP + 8 && CPU_IRQ_PENDING == CPU_CURRENT + 8);
CHECK_CPU(CPU_IRQ_PENDING, irq_pending);
CHECK_CPU(CPU_ATTENTION, attention);
CHECK_CPU(CPU_EXC_RAX, scratch[0]);
CHECK_CPU(CPU_STEPPED, scratch[4]);
CHECK(offsetof(struct percpu, kstack_top) == PERCPU_KSTACK_TOP);
CHECK(offsetof(struct percpu, irq_pending) == PERCPU_IRQ_PENDING);
CHECK(offsetof(struct percpu, irq_count) == PERCPU_IRQ_COUNT);
CHECK(PERCPU_ADDR + sizeof(struct percpu) <= HYPERCALL_ADDR);
CHECK(HYPERCALL_ADDR + sizeof(struct hypercall_frame) <= BOOT_INFO_ADDR);
CHECK(BOOT_INFO_ADDR + sizeof(struct boot_info) <= PERCPU_ADDR + PAGE_SIZE);
CHECK_FRAME(FRAME_R15, r15);
CHECK_FRAME(FRAME_RBX, rbx);
CHECK_FRAME(FRAME_R11, r11);
CHECK_FRAME(FRAME_RAX, rax);
CHECK_FRAME(FRAME_RDI, rdi);
CHECK_FRAME(FRAME_ORIG_RAX, orig_rax);
CHECK_FRAME(FRAME_RIP, rip);
CHECK_FRAME(FRAME_RFLAGS, rflags);
CHECK_FRAME(FRAME_SS, ss);
CHECK(sizeof(struct trapframe) == FRAME_SIZE);
CHECK(offsetof(struct arch_thread, ksp) == THREAD_KSP);
CHECK(sizeof(struct kernel_image) == 15 * 8); /* as written in kernel_entry.S */
CHECK(BOOT_TABLES == 9 && EXCEPTION_STUB_SIZE == 32 && SYSCALL_VECTOR == 0x100);

/* What percpu->attention points to until there is a process. */
static _Atomic u32 nobody;

void arch_init(void)
{
	struct percpu *cpu = PERCPU;

	if (cpu->attention)
		return;
	if (BOOT_INFO->magic != BOOT_MAGIC)
		kpanic("the monitor left no boot information");
	cpu->attention = &nobody;
	paging_init();
}

_Noreturn void arch_start(void)
{
	arch_init();
	kernel_main();
}
