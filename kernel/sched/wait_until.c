/* SPDX-License-Identifier: ISC */
/* The one way to wait. */
#include <asm/errno.h>

#include "kernel/kin/kin_core.h"
#include "kernel/sched/sched.h"
#include "kernel/task/signal.h"

/*
 * Why no wake-up is lost, whoever runs and whoever dies.
 *
 * The waiter     (1) is on the queue: queue_add ends with a full barrier;
 *                (2) looks, ready(argument);
 *                (3) sleeps if there was nothing to see.
 * The waker      (a) makes the condition true, whole: with the locks of its structure, or by one
 *                    store (publish);
 *                (b) then queue_wake, which begins with a full barrier, looks who is on the queue,
 *                    marks him, and rings his member's doorbell.
 *
 * Who may run: everybody at any time, between any two of these. By the barriers either (b) sees
 * (1), and the waiter is marked, or (2) sees (a), and it does not sleep. A mark set between (2) and
 * the host's sleep is seen, too: thread_sleep_mode reads the doorbell before it looks at the marks,
 * and the host compares the doorbell before it blocks (kernel/sched/sched.c). Other threads of the
 * member run while this one sleeps, so ready holds no lock when it returns, and what it saw may be
 * over when wait_until has returned: the caller tries again what it wanted, and waits again.
 *
 * Who may die: the waker after (a): its burial marks everybody's waiters (kernel/kin/queue.c). The
 * waiter: its burial takes it off the queue, and hands on the wake that an exclusive one had got.
 * A waiter that leaves for another reason hands it on here, because it may have been woken for what
 * it does not use. The memory that the queue lies in must outlive the wait: the caller holds what
 * owns it, by a reference that its burial drops after the waiter is off the queue.
 *
 * What happened at the same time as the signal or the deadline counts, as on Linux: a last look
 * decides.
 */
int wait_until(struct kin_queue *queue, bool (*ready)(void *argument), void *argument,
	u64 deadline_ns, u32 flags)
{
	enum sleep_mode mode = flags & WAIT_MODE;
	struct kin_waiter *w = queue ? waiter_get() : NULL;
	bool seen;
	int err = 0;

	if (w) {
		w->exclusive = (flags & WAIT_EXCLUSIVE) != 0;
		queue_add(queue, w);
	}
	while (!(seen = ready && ready(argument)) && !err)
		err = thread_sleep_mode(deadline_ns, mode, NULL, 0);
	if (w) {
		queue_remove(w);
		waiter_put(w);
	}
	if (seen)
		return 0;
	if (w && flags & WAIT_EXCLUSIVE)
		queue_pass_on(queue, 1);
	return err == -EINTR && flags & WAIT_RESTARTS ? -ERESTARTSYS : err;
}
