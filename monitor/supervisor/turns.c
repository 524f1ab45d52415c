/* SPDX-License-Identifier: ISC */
/*
 * A family may have thousands of monitors that compute, and the host divides its processors among
 * all of them and the two processes that end the family. Whoever wakes up has to wait there for all
 * who are due before him: a round of thousands. So these two ask for short turns, which are due
 * sooner, and monitors for what everybody has: they inherit. It changes nobody's share. Linux 6.12
 * knows it; an older host ignores it, and one that refuses it costs time, nothing else.
 */
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/supervisor/supervisor_internal.h"

#define TURN_SHORT_NS 100000ull /* the least that the host knows */

/* sched_setattr(2), the first version: the C library may have none. */
struct host_sched_attr {
	u32 size, policy;
	u64 flags;
	s32 nice;
	u32 priority;
	u64 runtime_ns, deadline_ns, period_ns;
};

/* Real-time and idle processes were made that by who started the family. */
static void turn_set(u64 turn_ns)
{
	struct host_sched_attr attr;

	memset(&attr, 0, sizeof(attr));
	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) < 0 ||
		(attr.policy != SCHED_OTHER && attr.policy != SCHED_BATCH))
		return;
	attr.size = sizeof(attr);
	attr.runtime_ns = turn_ns;
	syscall(SYS_sched_setattr, 0, &attr, 0);
}

void turns_short(void)
{
	turn_set(TURN_SHORT_NS);
}

void turns_usual(void)
{
	turn_set(0);
}
