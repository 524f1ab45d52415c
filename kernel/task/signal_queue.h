/* SPDX-License-Identifier: ISC */
/* Queues of pending signals. Only for kernel/task. */
#ifndef KERNEL_TASK_SIGNAL_QUEUE_H
#define KERNEL_TASK_SIGNAL_QUEUE_H

#include <stdatomic.h>

#include "kernel/task/signal.h"

/* ---- signal_queue.c: pure; the caller holds the lock of what it changes. */
/* 1 posted, 0 was pending already (standard signal), -EAGAIN. *node is taken (NULLed) if used. */
int signal_queue_post(struct signal_queue *q, _Atomic u64 *pending, const struct ksiginfo *info,
	u64 limit, struct signal_node **node);
/* Takes sig, which is pending; the node to free, if any. */
struct signal_node *signal_queue_take(struct signal_queue *q, _Atomic u64 *pending, int sig,
	struct ksiginfo *info);
/* Forgets the signals of set; a list of nodes to free. */
struct signal_node *signal_queue_flush(struct signal_queue *q, _Atomic u64 *pending, sigset set);
/* After the holder of the lock died at any instruction of the above. */
void signal_queue_repair(struct signal_queue *q, _Atomic u64 *pending);
/* The signal to deliver first: SIGKILL, faults, then the lowest number. set is not 0. */
int signal_choose(sigset set);

/* ---- signal.c */
void signals_lock(struct kin_signals *s);
void signals_unlock(struct kin_signals *s);
void signal_nodes_free(struct signal_node *list, bool kin);

#endif
