/* SPDX-License-Identifier: ISC */
/* What happens to a process: fork, exec, exit. What one is: kernel/task. */
#ifndef KERNEL_PROC_PROC_H
#define KERNEL_PROC_PROC_H

#include "kernel/sched/sched.h"
#include "kernel/signal/signal_hooks.h"

/* fork.c, vfork.c: all kinds of clone. The pid, 0 in the child, or -errno. */
s64 proc_fork(u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls, u32 exit_signal);

/*
 * exec. kernel/exec/exec.c calls, past the point of no return, begin (other threads end), then
 * replaces the image, then commit (signals, timers, descriptors, names, counts). A process that
 * shares its VM goes to a fresh member instead: vfork_exec, after all checks; never returns on
 * success.
 */
bool proc_shares_vm(struct proc *p);
void proc_exec_begin(void);
void proc_exec_commit(const char *comm);
/*
 * caps.c: the ids and capabilities that the program gives. check: 0 or -EPERM, while there is a way
 * back; then caps_exec: is the program to trust its environment less (AT_SECURE)?
 */
struct file_set_id;
s64 caps_exec_check(const struct file_set_id *file);
bool caps_exec(const struct file_set_id *file);

/* title.c: what /proc shows as the command line becomes what the program wrote there. */
void proc_refresh_cmdline(void);

/* exit.c; proc_exit: signal_hooks.h */
_Noreturn void thread_exit(void); /* this thread; the last one ends the process */

#endif
