/* SPDX-License-Identifier: ISC */
/*
 * Leaves the machine: fills the frame at HYPERCALL_ADDR and enters the monitor, which answers in
 * the frame.
 */
#include "abi/boot.h"
#include "abi/layout.h"
#include "kernel/host/host.h"
#include "kernel/host/hypercall_counts.h"
#include "kernel/lib/order.h"

/* How often each was made since this member began; the reader copes with a fork in between. */
u64 host_counts[HYPERCALL_COUNT], host_calls;

/*
 * kernel/arch: the one `syscall` instruction that the monitor takes for a hypercall.
 */
void hypercall_kvm(void);

/*
 * Not re-entrant, and need not be: nothing between the first store and the last load can fault, and
 * interrupts do not run kernel code.
 */
s64 hypercall(enum hypercall_number nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)
{
	volatile struct hypercall_frame *f = (struct hypercall_frame *)HYPERCALL_ADDR;

	host_counts[nr]++;
	host_calls++;
	f->number = nr;
	f->ret = 0;
	f->arg[0] = a0;
	f->arg[1] = a1;
	f->arg[2] = a2;
	f->arg[3] = a3;
	f->arg[4] = a4;
	f->arg[5] = a5;
	if (BOOT_INFO->hypercall_entry)
		((void (*)(void))BOOT_INFO->hypercall_entry)();
	else
		hypercall_kvm();
	/* The monitor has read and written any memory that the arguments name. */
	program_order();
	return f->ret;
}
