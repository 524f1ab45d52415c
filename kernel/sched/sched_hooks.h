/* SPDX-License-Identifier: ISC */
/* What the scheduler asks of kernel/proc above it. */
#ifndef KERNEL_SCHED_SCHED_HOOKS_H
#define KERNEL_SCHED_SCHED_HOOKS_H

#include "kernel/task/task.h"

/*
 * kernel/proc/inbox.c: what the supervisor wants done. Part of exit_work and of sleeping; for those
 * who were interrupted in a blocking hypercall. Never sleeps.
 */
bool inbox_waiting(void);
void inbox_run(void);

/*
 * kernel/net/host_handle.c: does this member watch sockets of the host? And what came to them,
 * which wakes who waits. Neither sleeps.
 */
struct hyp_events;
bool sockets_watched(void);
void sockets_news(const struct hyp_events *news);

/* kernel/proc/remote_serve.c: what a member was asked (remote.h). Bytes, or -errno. */
struct remote;
s64 remote_serve(struct remote *r);

/* kernel/proc/vfork.c: the last thread of p has left its stack. */
void proc_destroy(struct proc *p);

#endif
