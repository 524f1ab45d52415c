/* SPDX-License-Identifier: ISC */
/*
 * The process backend: the guest's kernel and application run in the monitor's own host process.
 * Three kinds of code share it, told apart by RIP: the monitor (the executable's text), the
 * guest's kernel (its window, except the vDSO), the application (the rest).
 *
 *   kernel -> monitor       a call of boot_info.hypercall_entry (entry.S): new stack, FS, FPU state
 *   application -> kernel   a host signal (trap.c), made a trapframe on the thread's kernel stack
 *   monitor -> kernel       the return of the call, or process_enter
 *
 * Also read by assembly: the offsets of struct process_anchor.
 */
#ifndef MONITOR_BACKEND_PROCESS_PROCESS_H
#define MONITOR_BACKEND_PROCESS_PROCESS_H

#define ANCHOR_MEMBER 0
#define ANCHOR_MONITOR_FS 8
#define ANCHOR_MONITOR_STACK 16
#define ANCHOR_KERNEL_STACK 24
#define ANCHOR_XSAVE_MASK 32
#define ANCHOR_FLAGS 40
#define ANCHOR_XSAVE_AREA 64

#define PROCESS_FSGSBASE 1
#define PROCESS_XSAVEC 2

/*
 * Bytes for the application's FPU state while the monitor runs: all that a process may use without
 * asking (xsave.h); AMX's tiles, 8 KiB, are not among it.
 */
#define PROCESS_XSAVE_SIZE 4096

#ifndef __ASSEMBLER__

#include <signal.h>

#include "monitor/core/monitor.h"

/*
 * What signal handlers and the entry code find without FS: one per host process, since that is
 * one member. Written by boot, read-only afterwards except for the saved stack and FPU state.
 */
struct process_anchor {
	struct member *member;
	u64 monitor_fs;
	u64 monitor_stack;
	u64 kernel_stack;     /* the kernel's RSP while the monitor runs */
	u64 xsave_mask;
	u64 flags;
	volatile int *interrupted;
	int interrupt_signal; /* MONITOR_SIGNAL: libc computes it */
	int reserved;
	unsigned char xsave_area[PROCESS_XSAVE_SIZE] __attribute__((aligned(64)));
	struct kernel_image image; /* a copy: the original can be overwritten by the guest */
	u64 text_start, text_end;  /* of the monitor */
};
extern struct process_anchor process_anchor;

/* entry.S */
void process_hypercall_entry(void);        /* the guest's kernel calls this */
void process_set_fsbase(u64 base);         /* and this on hosts without FSGSBASE */
_Noreturn void process_enter(u64 rip);     /* into the guest's kernel, with constant registers */
void process_restorer(void);               /* SA_RESTORER */
void process_fault_entry(void);            /* handlers resume here to end the member */

/* trap.c: runs with the application's FS, on the alternate stack. */
void process_signal(int sig, siginfo_t *info, void *context);

/* process.c, called by entry.S on the monitor's stack. */
void process_dispatch(struct member *m);
_Noreturn void process_fault_report(u64 sig, u64 rip, u64 addr);

#endif
#endif
