/* SPDX-License-Identifier: ISC */
/*
 * The request for a fresh member that takes over a process at its exec: struct kin_exec with its
 * strings, and behind them what exec keeps of the process's private side. Lies in kin pages that
 * the process owns (kin_proc.spawn).
 */
#ifndef KERNEL_EXEC_SPAWN_H
#define KERNEL_EXEC_SPAWN_H

#include "kernel/exec/exec.h"
#include "kernel/proc/proc_internal.h"

static inline struct spawn_state *spawn_state_of(struct kin_exec *e)
{
	return (struct spawn_state *)ALIGN_UP((u64)e + sizeof(*e) + e->bytes, 16);
}

/*
 * Runs strings of e: fills a from its path, argv and envp, which stay where they are. *cwd points
 * into it, too.
 */
void exec_args_of(struct kin_exec *e, struct exec_args *a, const char **cwd);

_Noreturn void spawn_run(void); /* in the fresh member */
bool spawn_owns(u32 index, const struct kin_proc *kp);
s64 vfork_exec(struct exec_args *a);

#endif
