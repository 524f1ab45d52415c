/* SPDX-License-Identifier: ISC */
/*
 * The program that a process runs, as it was opened: what /proc/PID/exe leads to, also when the
 * file has no name any more. A slot of kin_proc, so that it outlives nobody who is buried.
 */
#include "kernel/kin/own.h"
#include "kernel/task/task.h"

void proc_exe_set(struct kin_proc *p, struct file *f)
{
	struct own_record *dropped;

	tree_lock();
	dropped = ref_detach(OWN_FILE, (void **)&p->exe, NULL);
	if (f)
		ref_get(OWN_FILE, f, &p->exe);
	tree_unlock();
	ref_drop(dropped);
}

struct file *proc_exe_get(struct kin_proc *p)
{
	struct file *f = p->exe;

	if (f)
		ref_get(OWN_FILE, f, hold_new(OWN_FILE));
	return f;
}
