/* SPDX-License-Identifier: ISC */
/*
 * The program that a process runs, as it was opened: what /proc/PID/exe leads to, also when the
 * file has no name any more. A slot of kin_proc, so that it outlives nobody who is buried.
 */
#include "kernel/kin/own.h"
#include "kernel/task/task.h"

void proc_exe_set(struct kin_proc *p, struct file *f)
{
	void **old = NULL;

	tree_lock();
	if (p->exe)
		ref_move(OWN_FILE, &p->exe, old = hold_new(OWN_FILE));
	if (f)
		ref_get(OWN_FILE, f, &p->exe);
	tree_unlock();
	if (old)
		ref_put(OWN_FILE, old);
}

struct file *proc_exe_get(struct kin_proc *p)
{
	struct file *f = p->exe;

	if (f)
		ref_get(OWN_FILE, f, hold_new(OWN_FILE));
	return f;
}
