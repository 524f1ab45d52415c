/* SPDX-License-Identifier: ISC */
/*
 * Doorbells: how one member makes another look. The sleeper (its kernel, then its monitor):
 *
 *	seen = doorbell; look at everything; doorbell_state = ASLEEP_*; block while doorbell == seen
 *
 * The waker: change something; ++doorbell (a locked instruction, so a full barrier); read the
 * state. If the waker reads RUNNING, the state's store comes later in the sleeper's order, so the
 * comparison behind it sees the new sequence and the sleeper does not block. If it reads
 * ASLEEP_FUTEX, the wake finds the sleeper blocked, or about to compare and to fail. ASLEEP_POLL
 * blocks in ppoll, which a futex wake does not reach: a signal does (hypercall kick), and the
 * monitor's handler closes the gap before ppoll.
 */
#include "kernel/kin/root.h"

#include "kernel/arch/arch.h"
#include "kernel/host/host.h"

/* Private: whom this member woke last, and when. A hint for those who consider to spin for it. */
static u32 woken_member;
static u64 woken_tsc;

static inline bool is_self(u32 member)
{
	return member == ((struct boot_info *)BOOT_INFO_ADDR)->member;
}

static void kick(u32 member)
{
	atomic_store(&KIN->members[member].kicked, 1);
	host_kick(member);
}

void doorbell_ring(u32 member)
{
	struct kin_member *m = &KIN->members[member];

	if (!is_self(member))
		atomic_store_explicit(&m->rung_by, BOOT_INFO->member, memory_order_relaxed);
	atomic_fetch_add(&m->doorbell, 1);
	if (is_self(member))
		return;
	u32 state = atomic_load(&m->doorbell_state);
	if (state == DOORBELL_RUNNING)
		return;
	if (state == DOORBELL_ASLEEP_FUTEX)
		host_wake(member);
	else
		kick(member);
	woken_member = member;
	woken_tsc = arch_cycles();
}

bool doorbell_woken_since(u32 member, u64 tsc)
{
	return woken_member == member && (s64)(woken_tsc - tsc) >= 0;
}

/*
 * What the target should see is in kin already. kicked and the doorbell come first, so that a
 * target on its way to sleep or to the application looks again.
 */
void member_kick(u32 member)
{
	struct kin_member *m = &KIN->members[member];

	atomic_store(&m->kicked, 1);
	atomic_fetch_add(&m->doorbell, 1);
	if (is_self(member))
		return;
	if (atomic_load(&m->doorbell_state) == DOORBELL_ASLEEP_FUTEX)
		host_wake(member);
	else
		kick(member);
}
