/* SPDX-License-Identifier: ISC */
/* What signal delivery asks of kernel/proc above it. */
#ifndef KERNEL_SIGNAL_SIGNAL_HOOKS_H
#define KERNEL_SIGNAL_SIGNAL_HOOKS_H

#include "kernel/task/task.h"

/* kernel/proc/exit.c: the whole process ends. */
_Noreturn void proc_exit(u32 wait_status);
/* The same. T: SIGCHLD with CLD_* */
void proc_notify_parent(struct kin_proc *p, u32 code, u32 status);

#endif
