/* SPDX-License-Identifier: ISC */
/*
 * Stop and continue. A process stops itself when it takes a stop signal on its way out of the
 * kernel, and sleeps there until SIGCONT or SIGKILL is pending. Sending a stop signal discards a
 * pending SIGCONT and the other way round (signal_send), so a SIGCONT that is pending here came
 * after the stop.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/signal.h>

#include "kernel/proc/table.h"

enum { CLD_STOPPED_ = 5, CLD_CONTINUED_ = 6 };

void proc_notify_continued(struct kin_proc *p)
{
	tree_lock();
	if (p->state == PROC_STOPPED) {
		p->state = PROC_RUNNING;
		proc_table->nstopped--;
		p->wait_flags = WAIT_CONTINUED;
		proc_notify_parent(p, CLD_CONTINUED_, SIGCONT);
	}
	tree_unlock();
}

void stop_wait(void)
{
	struct kin_proc *kp = current->proc->kp;

	while (kp->state == PROC_STOPPED) {
		u64 pending = kp->signals.pending;

		if (thread_must_exit(current) || (pending & SIGBIT(SIGKILL))) {
			/* It dies at once: nobody is told that it continued. */
			tree_lock();
			if (kp->state == PROC_STOPPED) {
				kp->state = PROC_RUNNING;
				proc_table->nstopped--;
				kp->wait_flags = 0;
			}
			tree_unlock();
			return;
		}
		if (pending & SIGBIT(SIGCONT)) {
			proc_notify_continued(kp);
			return;
		}
		thread_sleep_mode(HYP_NO_DEADLINE, SLEEP_STOPPED, NULL, 0);
	}
}

void proc_stop(int sig)
{
	struct kin_proc *kp = current->proc->kp;

	tree_lock();
	if (!(kp->signals.pending & (SIGBIT(SIGKILL) | SIGBIT(SIGCONT))) && kp->state == PROC_RUNNING) {
		kp->wait_status = (u32)sig << 8 | 0x7f;
		kp->wait_flags = WAIT_STOPPED;
		proc_table->nstopped++;
		kp->state = PROC_STOPPED;
		proc_notify_parent(kp, CLD_STOPPED_, (u32)sig);
	}
	tree_unlock();
	stop_wait();
}
