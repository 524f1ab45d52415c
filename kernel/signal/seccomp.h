/* SPDX-License-Identifier: ISC */
/*
 * seccomp(2): which system calls a process has left itself. Here that belongs to the process, not
 * to each thread. Filters are kept one after the other in pages of kin, so that children and fresh
 * members have them (kin_proc.seccomp); proc_inherited says whether there are any.
 */
#ifndef KERNEL_SIGNAL_SECCOMP_H
#define KERNEL_SIGNAL_SECCOMP_H

#include "kernel/task/thread.h"

/* Before a call of a process that has a mode: may it be made? False: the frame has its result. */
bool seccomp_call(struct trapframe *frame);
/* prctl(PR_SET_SECCOMP): mode SECCOMP_MODE_*, and a struct sock_fprog of the application. */
s64 seccomp_mode_set(u64 mode, u64 program);
/* A child that is being made has its parent's filters; a process that goes has none left. */
void seccomp_inherit(struct kin_proc *child, const struct kin_proc *parent);
void seccomp_drop(struct kin_proc *kp);
/* Instructions of filter n (0: the oldest) to out, if that is not 0. How many, or -errno. */
s64 seccomp_filter_show(struct kin_object *filters, u64 n, u64 out);

#endif
