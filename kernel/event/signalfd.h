/* SPDX-License-Identifier: ISC */
/*
 * What tells readers and pollers of pidfd that something happened to a process. Cheap if the family
 * has none. signalfd_wake: kernel/task/task_hooks.h.
 */
#ifndef KERNEL_EVENT_SIGNALFD_H
#define KERNEL_EVENT_SIGNALFD_H

struct kin_proc;

/* Under tree_lock: p has become a zombie, or was reaped. */
void pidfd_wake(const struct kin_proc *p);
/* waitid(P_PIDFD): the process of that descriptor, -EBADF. */
int pidfd_pid(int fd);

#endif
