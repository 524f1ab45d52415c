/* SPDX-License-Identifier: ISC */
/*
 * A small world around kernel/kin and the descriptor tables: kin is shared memory at its real
 * address, a member is a host process with a boot record of its own, blocking is a real futex. So
 * locks, queues and counts are tried as they are used: by processes that can be killed.
 */
#ifndef TESTS_UNIT_KIN_ENV_H
#define TESTS_UNIT_KIN_ENV_H

#include "kernel/kin/kin_core.h"

/* Once per test program, before anything else: becomes member 0 with a process and a table. */
void env_start(void);
/* A member that runs fn(arg) with a copy of the caller's descriptors and exits as members do. */
int env_fork(void (*fn)(void *), void *arg, u32 *member);
/* Kills it, or waits for its end; buries it if it had not exited itself. Its wait status. */
int env_reap(int pid, u32 member, bool kill_it);
u64 env_now_ns(void);
/* Pages of kin in use. */
u64 env_pages(void);
u32 env_random(u32 below);
/* Times that host_kin_discard was called, and pages. */
extern u32 env_discards;
extern u64 env_discarded_pages;
/* How often the current process was sent SIGPIPE. */
extern u32 env_sigpipes;
/* Makes thread_sleep_mode return -EINTR. */
extern bool env_interrupt;
/* An inode with a FIFO, one reference. */
struct inode *env_fifo(void);

#endif
