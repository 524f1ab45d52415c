/* SPDX-License-Identifier: ISC */
/*
 * Of process descriptors, for waitid. What wakes who waits for one, or for a signal in a signalfd:
 * kernel/task/task_hooks.h.
 */
#ifndef KERNEL_EVENT_SIGNALFD_H
#define KERNEL_EVENT_SIGNALFD_H

/* waitid(P_PIDFD): the process of that descriptor, -EBADF. */
int pidfd_pid(int fd);

#endif
