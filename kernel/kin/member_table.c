/* SPDX-License-Identifier: ISC */
/*
 * Member records, from the kernel's side: FREE -> CLONING or SPAWNING here, and back if the clone
 * failed or after a burial. abi/kin.h says who else changes a record's state.
 *
 * The compare-and-swap of state and parent together is the allocation; a member that dies right
 * after it leaves a CLONING record without a host_pid, which the supervisor finds when it reaps the
 * parent, or a SPAWNING one, which the burial of the parent finds.
 */
#include "kernel/kin/root.h"
#include "kernel/kin/spin.h"

#include <asm/errno.h>

#include "kernel/lib/lib.h"

int member_alloc(u32 state)
{
	for (u32 i = 0; i < MEMBERS_MAX; i++) {
		struct kin_member *m = &KIN->members[i];
		u64 was = atomic_load_explicit(&m->state_parent, memory_order_relaxed);
		u64 self = ((struct boot_info *)BOOT_INFO_ADDR)->member;

		/* state is the low half. */
		if ((u32)was != MEMBER_FREE ||
		    !atomic_compare_exchange_strong(&m->state_parent, &was, self << 32 | state))
			continue;
		/* An exit that was cut short may have left its waiters and holds. */
		if (ROOT->members[i].waiters || ROOT->members[i].holds)
			waiters_bury(i, atomic_load(&m->generation));
		if (own_prepare(i)) {
			atomic_store(&m->state, MEMBER_FREE);
			return -ENOMEM;
		}
		m->pid = m->ppid = 0;
		m->backend = ((struct boot_info *)BOOT_INFO_ADDR)->backend;
		m->exec_offset = 0;
		m->session = KIN->members[self].session;
		m->session_program = 0;
		m->clone_tsc = m->resumed_tsc = m->first_tsc = m->exit_tsc = 0;
		m->syscalls_direct = m->syscalls_trapped = m->sites = 0;
		m->hypercalls = m->faults = m->interrupts = 0;
		memset(m->comm, 0, sizeof(m->comm));
		atomic_store(&m->cpu_base_tsc, 0);
		atomic_store(&m->cpu_stop_tsc, 0);
		atomic_store(&m->proc, 0);
		atomic_store(&m->host_pid, 0);
		atomic_store(&m->kicked, 0);
		atomic_store(&m->doorbell_state, DOORBELL_RUNNING);
		atomic_store(&m->rung_by, NO_PEER);
		atomic_fetch_add(&m->generation, 1);
		return i;
	}
	return -EAGAIN;
}

/*
 * The generation moves on here, too: a clone of the dead that wakes up only now must not take the
 * record's next life, which is in the allocator's hands for a moment before it raises the number
 * itself.
 */
void member_free(u32 index)
{
	struct kin_member *m = &KIN->members[index];

	atomic_fetch_add(&m->generation, 1);
	atomic_store(&m->proc, 0);
	atomic_store(&m->host_pid, 0);
	atomic_store(&m->state, MEMBER_FREE);
}
