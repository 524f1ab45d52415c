/* SPDX-License-Identifier: ISC */
/* What clocks and timers ask of the scheduler above them. */
#ifndef KERNEL_TIME_TIME_HOOKS_H
#define KERNEL_TIME_TIME_HOOKS_H

#include "kernel/task/task.h"

/* kernel/sched/sched.c. T: of any process; while it lives, time its member did not sleep. */
u64 proc_cpu_ns(const struct kin_proc *p);

#endif
