/* SPDX-License-Identifier: ISC */
/* What the life of processes asks of kernel/exec above it. */
#ifndef KERNEL_PROC_PROC_HOOKS_H
#define KERNEL_PROC_PROC_HOOKS_H

#include "kernel/task/task.h"

/* ---- kernel/exec/spawn.c */
void spawn_drop(struct kin_proc *p); /* the request is served or void */
void spawn_bury(u32 member);

#endif
