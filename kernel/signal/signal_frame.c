/* SPDX-License-Identifier: ISC */
/*
 * Where a handler's frame goes, on the alternate stack or below what was interrupted, and the way
 * back from it: sigaltstack(2), sigreturn(2). What lies in a frame: kernel/arch.
 */
#include <asm/errno.h>
#include <linux/signal.h>

#include "kernel/lib/lib.h"
#include "kernel/signal/signal_delivery.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"

static bool in_altstack(const struct thread *t, u64 sp)
{
	return sp > t->sig.alt_sp && sp - t->sig.alt_sp <= t->sig.alt_size;
}

static bool on_altstack(const struct thread *t, u64 sp)
{
	return !(t->sig.alt_flags & SS_AUTODISARM) && in_altstack(t, sp);
}

u32 signal_altstack_flags(const struct thread *t, u64 sp)
{
	if (!t->sig.alt_size)
		return SS_DISABLE;
	return on_altstack(t, sp) ? SS_ONSTACK : 0;
}

int signal_altstack_set(struct thread *t, u64 sp, const stack_t *s)
{
	u32 mode = (u32)s->ss_flags & ~SS_AUTODISARM;

	if (on_altstack(t, sp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		t->sig.alt_sp = t->sig.alt_size = 0;
	} else {
		if (s->ss_size < MINSIGSTKSZ)
			return -ENOMEM;
		t->sig.alt_sp = (u64)s->ss_sp;
		t->sig.alt_size = s->ss_size;
	}
	t->sig.alt_flags = (u32)s->ss_flags;
	return 0;
}

/* The end of the stack that the frame goes to; 0: the alternate stack is too small. */
static u64 frame_top(const struct thread *t, const struct trapframe *frame, u64 action_flags)
{
	bool on_alternate = on_altstack(t, frame_sp(frame));
	u64 top = arch_signal_stack(frame);

	if ((action_flags & SA_ONSTACK) && signal_altstack_flags(t, top) == 0) {
		top = t->sig.alt_sp + t->sig.alt_size;
		on_alternate = true;
	}
	return on_alternate && !in_altstack(t, arch_signal_frame_place(top)) ? 0 : top;
}

int signal_frame_push(struct trapframe *frame, int sig, const struct ksiginfo *info,
	const struct signal_action *a)
{
	struct thread *t = current;
	u64 top = frame_top(t, frame, a->flags);
	struct handler_call call = {
		.signal = sig,
		.handler = a->handler,
		.restorer = a->restorer,
		.info = info,
		.info_size = sizeof(*info),
	};
	struct signal_context context = {
		.mask = t->sig.restore_mask ? t->sig.saved_mask : t->sig.blocked,
		.alt_sp = t->sig.alt_sp,
		.alt_size = t->sig.alt_size,
		.alt_flags = t->sig.alt_flags,
	};

	if (!top || !(a->flags & SA_RESTORER) || arch_signal_frame_push(frame, top, &call, &context))
		return -EFAULT;
	if (t->sig.alt_flags & SS_AUTODISARM) {
		t->sig.alt_sp = t->sig.alt_size = 0;
		t->sig.alt_flags = SS_DISABLE;
	}
	return 0;
}

s64 sys_rt_sigreturn(void)
{
	struct thread *t = current;
	struct trapframe *frame = thread_frame(t);
	struct signal_context context;
	stack_t stack;

	if (arch_signal_frame_pop(frame, &context)) {
		signal_force_segv(0);
		return 0;
	}
	signal_set_blocked(context.mask);
	stack = (stack_t){
		.ss_sp = (void *)context.alt_sp,
		.ss_flags = (int)context.alt_flags,
		.ss_size = context.alt_size,
	};
	signal_altstack_set(t, frame_sp(frame), &stack); /* errors do not matter here, as on Linux */
	t->restart_fn = 0;
	return frame_result(frame);
}
