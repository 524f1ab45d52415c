/* SPDX-License-Identifier: ISC */
/* Only for kernel/proc/: getrusage's numbers. */
#ifndef KERNEL_PROC_RUSAGE_H
#define KERNEL_PROC_RUSAGE_H

#include <linux/resource.h>

#include "kernel/proc/proc_internal.h"

/* T: what p and its dead children used, as wait4 reports it. */
void rusage_of_child(struct rusage *u, const struct kin_proc *p);
/* The default limits of PID 1. */
void rlimits_default(struct proc_inherited *in);

#endif
