/* SPDX-License-Identifier: ISC */
/*
 * Who may do what to whom: the current process's capabilities, and the rules by which one process
 * may look into another. Ids and capabilities are the family's own; they lie in kin
 * (struct proc_inherited), so others can be asked about. Source: capabilities(7), ptrace(2).
 */
#ifndef KERNEL_TASK_CRED_H
#define KERNEL_TASK_CRED_H

#include <linux/capability.h>

#include "common/types.h"

#define CAPS_ALL ((2ull << CAP_LAST_CAP) - 1)

struct kin_proc;

/* The effective set. Before the first process exists the kernel itself acts, with all. */
u64 cred_caps(void);
static inline bool cred_capable(u32 capability)
{
	return cred_caps() >> capability & 1;
}

/*
 * May the current process look into p? By the ids that files are opened with (/proc), or by its
 * real ones (system calls). No lock: p's words are read one by one.
 */
enum look_by { LOOK_BY_FILES, LOOK_BY_REAL };
bool cred_may_look(const struct kin_proc *p, enum look_by by);
/* May it change how p is scheduled? */
bool cred_may_schedule(const struct kin_proc *p);

#endif
