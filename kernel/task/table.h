/* SPDX-License-Identifier: ISC */
/* The process table itself. Only for kernel/task/, kernel/proc/ and kernel/signal/stop.c. */
#ifndef KERNEL_TASK_TABLE_H
#define KERNEL_TASK_TABLE_H

#include "kernel/task/task.h"

#define CHUNK_PROCS 8
#define HASH_BUCKETS 1024
#define PID_REUSE_FIRST 300 /* where the search goes on after PID_MAX, as on Linux */

LIST_HEAD(kin_proc_list, kin_proc);

/* In kin, made by the first member. */
struct proc_table {
	/*
	 * tree_lock. If its owner died, the lists are made anew from the slots (state, pid and parent
	 * of each are stored before the lists change), so the family goes on.
	 */
	KIN_LOCK(lock, TREE);
	_Atomic u32 nprocs;             /* slots that are not FREE */
	/* lock: */
	u32 nstopped; /* STOPPED ones: 0 spares exits the search for orphaned groups */
	s32 next_pid;
	u32 wrapped;                    /* PID_MAX was reached once: numbers may be in use */
	u32 nslots;
	u32 tasks_free; /* so many more may be made before tasks are summed up again (tasks_full) */
	struct kin_proc_list free, hash[HASH_BUCKETS];
	/* lock to add: slots, CHUNK_PROCS at a time, never given back */
	struct kin_proc *chunk[PROCS_MAX / CHUNK_PROCS];
	/* lock: by thread id: member + 1; NULL until the first thread is made */
	u16 *tid_member;
	struct console console; /* no lock: atomics */
	/*
	 * One burier at a time. Burial may be done twice, so a lock left by a dead burier is simply
	 * taken over; bury_todo holds what was begun.
	 */
	KIN_LOCK(bury_lock, BURY);
	u64 bury_todo[MEMBERS_MAX / 64];
};

extern struct proc_table *proc_table;

/* T: somebody in its session, but outside its group, could continue it (group.c). */
bool proc_has_guardian(const struct kin_proc *p);

#endif
