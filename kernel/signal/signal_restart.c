/* SPDX-License-Identifier: ISC */
/*
 * What becomes of a system call that gave up for a signal: EINTR, or the same call again. Faults,
 * interrupts and calls that have been through here are no calls (frame_is_call). Source: signal(7),
 * "Interruption of system calls".
 */
#include <asm/errno.h>
#include <asm/unistd.h>

#include "kernel/arch/arch.h"
#include "kernel/signal/signal_delivery.h"
#include "kernel/task/thread.h"

void signal_restart_handler(struct trapframe *frame, u64 action_flags)
{
	if (!frame_is_call(frame))
		return;
	switch (-frame_result(frame)) {
	case ERESTART_RESTARTBLOCK:
	case ERESTARTNOHAND:
		frame_set_result(frame, -EINTR);
		break;
	case ERESTARTSYS:
		if (!(action_flags & SA_RESTART)) {
			frame_set_result(frame, -EINTR);
			break;
		}
		frame_repeat_call(frame, frame_call(frame));
		break;
	case ERESTARTNOINTR:
		frame_repeat_call(frame, frame_call(frame));
		break;
	}
	frame_end_call(frame);
}

void signal_restart_none(struct trapframe *frame)
{
	if (!frame_is_call(frame))
		return;
	switch (-frame_result(frame)) {
	case ERESTARTNOHAND:
	case ERESTARTSYS:
	case ERESTARTNOINTR:
		frame_repeat_call(frame, frame_call(frame));
		break;
	case ERESTART_RESTARTBLOCK:
		frame_repeat_call(frame, __NR_restart_syscall);
		break;
	default:
		return;
	}
	frame_end_call(frame);
}
