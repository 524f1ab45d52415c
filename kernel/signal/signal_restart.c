/* SPDX-License-Identifier: ISC */
/*
 * What becomes of a system call that gave up for a signal: EINTR, or the same call again. To call
 * again is to step back over the two bytes of `syscall` (a redirected site keeps a real one there)
 * with the number in RAX. orig_rax == -1 marks a frame that has nothing to restart: exceptions,
 * interrupts, calls that have been through here. Source: signal(7), "Interruption of system calls".
 */
#include <asm/errno.h>
#include <asm/unistd.h>

#include "kernel/arch/arch.h"
#include "kernel/signal/signal_delivery.h"
#include "kernel/task/thread.h"

static void restart(struct trapframe *frame, u64 number)
{
	frame->rax = number;
	frame->rip -= 2;
}

void signal_restart_handler(struct trapframe *frame, u64 action_flags)
{
	if (frame->orig_rax == ~0ull)
		return;
	switch (-(s64)frame->rax) {
	case ERESTART_RESTARTBLOCK:
	case ERESTARTNOHAND:
		frame->rax = (u64)-EINTR;
		break;
	case ERESTARTSYS:
		if (!(action_flags & SA_RESTART)) {
			frame->rax = (u64)-EINTR;
			break;
		}
		restart(frame, frame->orig_rax);
		break;
	case ERESTARTNOINTR:
		restart(frame, frame->orig_rax);
		break;
	}
	frame->orig_rax = ~0ull;
}

void signal_restart_none(struct trapframe *frame)
{
	if (frame->orig_rax == ~0ull)
		return;
	switch (-(s64)frame->rax) {
	case ERESTARTNOHAND:
	case ERESTARTSYS:
	case ERESTARTNOINTR:
		restart(frame, frame->orig_rax);
		break;
	case ERESTART_RESTARTBLOCK:
		restart(frame, __NR_restart_syscall);
		break;
	default:
		return;
	}
	frame->orig_rax = ~0ull;
}
