/* SPDX-License-Identifier: ISC */
/* What the files of this folder share, C and assembly. */
#ifndef KERNEL_ARCH_ARCH_INTERNAL_H
#define KERNEL_ARCH_ARCH_INTERNAL_H

#include "kernel/arch/arch.h"

/* kernel_entry.S, switch.S */
void stack_switch(struct arch_thread *from, struct arch_thread *to);
void thread_enter_kernel(void);
int clone_save(struct arch_thread *self, u32 member);
_Noreturn void frame_resume(struct trapframe *frame);
extern char tlb_flush_return[];
void tlb_flush_kvm(void); /* clobbers RAX only */
extern u64 boot_tables[][512]; /* BOOT_TABLES of them, filled by the monitor */

/* Called by assembly. */
_Noreturn void arch_start(void);
int arch_clone_parent(u32 member);
void arch_clone_child(void);
void arch_exit_work(struct trapframe *frame);
void arch_exit_bad_rip(struct trapframe *frame);
/* exceptions.c */
void trap_handle(struct trapframe *frame, u64 vector, u64 error, u64 cr2);
/* redirect.c: for each `syscall` that trapped; rip is the address after it. */
void redirect_site(u64 rip);
_Noreturn void trap_in_stub(u64 vector, u64 rip, u64 error, u64 cr2, u64 rsp);

/* The processor's part of a thread: struct thread begins with it. */
static inline struct arch_thread *thread_part(struct thread *t)
{
	return (struct arch_thread *)t;
}

/* fpu.c: FPU state in XSAVE standard format, 64-byte aligned, BOOT_INFO->xsave_size bytes. */
void fpu_save(void *area);
/* The area must be valid: fpu_area_sanitize first if the application wrote it. */
void fpu_restore(const void *area);
int fpu_area_sanitize(void *area, u32 size); /* 0 or -EINVAL */
void fpu_reset(void *area); /* fills area with the initial state of a new program */
u64 fsbase_get(void);
void fsbase_set(u64 base);
u64 gsbase_get(void);
void gsbase_set(u64 base);

/* thread.c: FPU and bases of t to and from the registers. */
void thread_load_registers(struct arch_thread *t);
void thread_save_registers(struct arch_thread *t);

/* usercopy.S: bytes not copied; a fault that nobody can serve ends the copy. */
size_t user_copy(void *dst, const void *src, size_t n);
size_t user_zero(void *dst, size_t n);
/* 0, or 1 after a fault. */
int user_read32(const u32 *addr, u32 *value);
int user_swap32(u32 *addr, u32 expected, u32 desired, u32 *found);

/* paging_kvm.c */
void paging_kvm_init(void);
void tlb_flush_pending(void); /* does what was put off; before every return to the application */
extern const struct paging_ops paging_kvm_ops, paging_process_ops;

/*
 * Is [addr, +len) legal as an application's pointer: nothing of the kernel's window, of kin, or
 * above the application?
 */
bool user_range_ok(u64 addr, u64 len);

#endif
