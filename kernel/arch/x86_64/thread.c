/* SPDX-License-Identifier: ISC */
/*
 * Threads as the processor sees them: starting one, switching between them, and carrying one into
 * the clone of a VM.
 */
#include "kernel/arch/x86_64/arch_internal.h"
#include "kernel/arch/x86_64/offsets.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"

/* What stack_switch pops, from low to high addresses. */
struct switch_frame {
	u64 r15, r14, r13, r12, rbx, rbp, rip;
};

void thread_save_registers(struct arch_thread *t)
{
	fpu_save(t->xsave);
	t->fsbase = fsbase_get();
	t->gsbase = gsbase_get();
}

void thread_load_registers(struct arch_thread *t)
{
	fpu_restore(t->xsave);
	fsbase_set(t->fsbase);
	gsbase_set(t->gsbase);
}

void arch_thread_init_kernel(struct thread *t, void (*fn)(void *), void *arg)
{
	/* Below the room for the trapframe. */
	struct switch_frame *s = (struct switch_frame *)thread_frame(t) - 1;

	*s = (struct switch_frame){
		.rbx = (u64)fn,
		.r12 = (u64)arg,
		.rip = (u64)thread_enter_kernel,
	};
	thread_part(t)->ksp = (u64)s;
}

#define AREA_ALIGN 64

u64 arch_area_size(void)
{
	return ALIGN_UP(BOOT_INFO->xsave_size, AREA_ALIGN) + AREA_ALIGN;
}

void arch_thread_init(struct thread *t, void *kstack_top, void *area)
{
	struct arch_thread *a = thread_part(t);

	*a = (struct arch_thread){
		.kstack_top = (u64)kstack_top,
		.xsave = (void *)ALIGN_UP((u64)area, AREA_ALIGN),
	};
	fpu_reset(a->xsave);
}

void arch_thread_copy(struct thread *t, bool set_tls, u64 tls)
{
	struct arch_thread *a = thread_part(t), *own = thread_part(current);

	fpu_save(a->xsave);
	a->fsbase = set_tls ? tls : fsbase_get();
	a->gsbase = gsbase_get();
	a->trap_vector = own->trap_vector;
	a->trap_error = own->trap_error;
	a->trap_cr2 = own->trap_cr2;
}

void arch_set_tls(u64 tls)
{
	fsbase_set(tls);
}

/*
 * From no thread (boot) or the current one to next, whose saved FPU state and bases must be valid.
 * If the current thread never runs again its stack may be freed once another stack is in use, by
 * whoever runs then.
 */
void context_switch(struct thread *next)
{
	struct thread *prev = current;

	if (prev == next)
		return;
	if (prev)
		thread_save_registers(thread_part(prev));
	current = next;
	PERCPU->kstack_top = thread_part(next)->kstack_top;
	thread_load_registers(thread_part(next));
	stack_switch(thread_part(prev), thread_part(next));
}

int arch_clone(u32 member)
{
	struct arch_thread *t = thread_part(current);

	thread_save_registers(t);
	return clone_save(t, member);
}

int arch_clone_parent(u32 member)
{
	return (int)host_clone(member);
}

/* The clone's registers are constants: take the thread's from memory. Translations start empty. */
void arch_clone_child(void)
{
	thread_load_registers(thread_part(current));
	PERCPU->irq_pending = 1;
}

_Noreturn void arch_return_to_user(struct trapframe *frame)
{
	struct trapframe *top = thread_frame(current);

	if (frame != top)
		memmove(top, frame, sizeof(*top));
	PERCPU->irq_pending = 1; /* exit work first */
	frame_resume(top);
}

_Noreturn void arch_start_program(u64 ip, u64 sp)
{
	struct arch_thread *a = thread_part(current);
	struct trapframe frame = {
		.rip = ip, .rsp = sp, .cs = USER_CS, .ss = USER_DS, .rflags = RFLAGS_FIXED,
		.orig_rax = ~0ull,
	};

	fpu_reset(a->xsave);
	fpu_restore(a->xsave);
	fsbase_set(0);
	gsbase_set(0);
	a->trap_vector = a->trap_error = a->trap_cr2 = 0;
	arch_return_to_user(&frame);
}
