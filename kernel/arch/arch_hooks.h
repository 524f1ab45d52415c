/* SPDX-License-Identifier: ISC */
/*
 * What the processor's entry code asks of rooms above it. Each is defined in the file that is
 * named.
 */
#ifndef KERNEL_ARCH_ARCH_HOOKS_H
#define KERNEL_ARCH_ARCH_HOOKS_H

#include "kernel/arch/arch.h"

/* kernel/boot/kernel_main.c: the first member, or a fresh monitor for a process that execs. */
_Noreturn void kernel_main(void);

/* kernel/proc/exit_work.c: signals, inbox, stop, preemption, before the application goes on. */
void exit_work(struct trapframe *frame);

/*
 * kernel/kin/alloc.c: a fault at addr, the kernel's or the application's: true if it lies in kin
 * below the high-water mark and is mapped now. Takes no lock.
 */
bool kin_fault(u64 addr);

/*
 * kernel/mm/fault.c: a fault at an address of the application, in the current process. 0 handled,
 * else the signal (SIGSEGV, SIGBUS) with *code.
 */
int application_fault(u64 addr, u64 error, int *code);

/*
 * kernel/mm/call_sites.c. Is all of [addr, +len) text of the application: private, readable and
 * executable, not writable? Does another thread of the process stand in [from, to)? A site was
 * rewritten: for whoever maps the same file later.
 */
bool text_mapped(u64 addr, u64 len);
bool text_thread_inside(u64 from, u64 to);
void text_site_found(u64 after, u32 nr); /* after: the address behind the call */

/* kernel/signal/signal_deliver.c */
/* A fault of the current thread: delivered at once, and kills if blocked or ignored. */
void signal_fault(int sig, int code, u64 addr);

#endif
