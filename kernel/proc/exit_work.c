/* SPDX-License-Identifier: ISC */
/*
 * The way out: everything that must happen before the application goes on. The entry code comes
 * here when it was asked to (cpu_ask_exit_work) or the current process's attention is set, and
 * looks at both again after.
 *
 * Why nothing is lost. A sender stores the signal (or the inbox bit), then attention or kicked,
 * then interrupts this vCPU. Here request and attention are cleared first and the sources are
 * looked at second, each step sequentially consistent. If the sender's store of attention comes
 * after the clearing, it is seen at the end of the loop or by the entry code; if it comes before,
 * so did its store of the signal, which the look then finds. An interrupt that lands in the kernel
 * asks again.
 */
#include <stdatomic.h>

#include "kernel/arch/arch_hooks.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/sched/sched_hooks.h"
#include "kernel/signal/signal_delivery.h"
#include "kernel/signal/trace_stop.h"
#include "kernel/time/time.h"

static bool work_left(void)
{
	return cpu_exit_work_asked() || atomic_load(cpu_attention());
}

void exit_work(struct trapframe *frame)
{
	bool expired = false;

	do {
		struct proc *p = current->proc;

		cpu_exit_work_begins();
		atomic_store(&p->kp->attention, 0);
		if (inbox_waiting())
			inbox_run();
		if (sched_timers_due()) {
			timers_run();
			expired = true;
		}
		if (sched_others())
			sched_poll();
		if (thread_must_exit(current))
			thread_exit();
		if (p->kp->state == PROC_STOPPED)
			stop_wait();
		if (p->kp->traced)
			trace_work(frame);
		signal_deliver(frame);
		if (sched_wanted())
			schedule();
	} while (work_left());
	sched_timer(expired);
}
