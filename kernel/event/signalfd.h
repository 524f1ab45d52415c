/* SPDX-License-Identifier: ISC */
/*
 * Of process descriptors, for waitid and clone. What wakes who waits for one, or for a signal in a
 * signalfd: kernel/task/task_hooks.h.
 */
#ifndef KERNEL_EVENT_SIGNALFD_H
#define KERNEL_EVENT_SIGNALFD_H

#include "common/types.h"

struct kin_proc;

/* waitid(P_PIDFD): the process of that descriptor and its status flags, -EBADF. */
int pidfd_pid(int fd, u32 *flags);
/* clone with CLONE_PIDFD: a descriptor for p, which nobody else knows yet; or -errno. */
s64 pidfd_install(struct kin_proc *p, u32 flags);

#endif
