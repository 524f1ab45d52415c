/* SPDX-License-Identifier: ISC */
/*
 * Fork: the monitor clones itself, and the child builds a VM around the copied memory. The child
 * is a child of the supervisor (CLONE_PARENT), which is the only reaper. Both sides enter the
 * child's pid in its record (member_claim), so that the record names a process no matter which of
 * them is killed at which moment; if the supervisor was faster with -1 the child exits.
 *
 * What the parent keeps and what the child gets:
 *   private memory   copy-on-write by the host        kin              shared
 *   host handles     inherited, same numbers          file positions   private (fs_getdents)
 *   timer            parent's; the child has none  counts           child starts from 0
 *   confinement      inherited, cannot be undone      signal handlers  inherited
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "monitor/core/core_internal.h"

FORK_PATH static void clone_run(void *arg)
{
	struct member *m = arg;

	member_live(m, MEMBER_CLONING);
	m->backend->run(m, true);
}

FORK_PATH void clone_become(struct member *m, u32 index, u32 generation)
{
	struct boot_info *boot = (struct boot_info *)BOOT_INFO_ADDR;
	struct kin_header *kin = m->family->kin;

	member_follow_supervisor(m->family);
	if (!member_claim(kin, index, generation, (s32)HOST_CALL(SYS_getpid)))
		HOST_CALL(SYS_exit_group, MEMBER_EXIT_DIED);
	m->index = index;
	m->generation = generation;
	m->timer_ns = 0;
	m->watches = false; /* what has the number is the parent's set */
	m->interrupted = 0;
	memset(m->counts, 0, sizeof(m->counts));
	boot->member = index;
	boot->generation = generation;
}

/* In the child, on a copy of the parent's stack, which is left behind at the end. */
FORK_PATH static _Noreturn void clone_child(struct member *m, u32 index, u32 generation)
{
	struct error err;

	clone_become(m, index, generation);
	if (m->backend->clone_child)
		m->backend->clone_child(m);
	if (m->backend->create(m, true, &err) < 0)
		member_die(m, "%s", err.text);
	stack_call(m->stack_top, clone_run, m);
}

FORK_PATH s64 hyp_clone(struct member *m, struct hypercall_call *call)
{
	u32 index = (u32)call->arg[0];
	struct kin_header *kin = m->family->kin;
	struct kin_member *rec = &kin->members[index];
	u32 generation = rec->generation;
	s64 pid;

	if (index == m->index || rec->state != MEMBER_CLONING || rec->host_pid != 0)
		return -EINVAL;
	rec->clone_tsc = host_rdtsc();
	if (m->backend->clone_prepare)
		m->backend->clone_prepare(m);
	handles_mark_shared(m);
	pid = HOST_CALL(SYS_clone, CLONE_PARENT);
	if (pid == 0)
		clone_child(m, index, generation);
	if (pid > 0) {
		rec->resumed_tsc = host_rdtsc();
		member_claim(kin, index, generation, (s32)pid);
	}
	if (m->backend->clone_parent)
		m->backend->clone_parent(m);
	if (pid < 0)
		return pid == -ENOMEM ? -ENOMEM : -EAGAIN;
	return 0;
}
