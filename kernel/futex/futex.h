/* SPDX-License-Identifier: ISC */
/*
 * Futexes. A word in shared memory is known to all members by its address in kin; a word in
 * private memory concerns only the threads of one member and needs no lock.
 */
#ifndef KERNEL_FUTEX_FUTEX_H
#define KERNEL_FUTEX_FUTEX_H

#include "common/types.h"

struct thread;

/* Wakes up to n waiters of the word at an application address. */
s64 futex_wake_user(u64 addr, u32 n);
/* In the clone: those who wait for private words are the parent's threads. */
void futexes_fork_child(void);
/* Robust mutexes of a thread that ends get FUTEX_OWNER_DIED, and a waiter each is woken. */
void futex_exit_robust(struct thread *t);
/*
 * A thread ends, or its process execs: its robust list is walked; then, if the memory goes on being
 * used (shared), clear_child_tid is zeroed and its waiters are woken.
 */
void futex_thread_exit(struct thread *t, bool shared);

#endif
