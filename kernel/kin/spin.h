/* SPDX-License-Identifier: ISC */
/*
 * Waiting a little without leaving the VM, for another member that runs now or was just woken by
 * this one. Pipes and sockets share one rule, so that whether spinning pays is learnt from both.
 */
#ifndef KERNEL_KIN_SPIN_H
#define KERNEL_KIN_SPIN_H

#include "common/types.h"

/*
 * True once ready(arg), which may only read. False: it is time to sleep. peer: the member that is
 * hoped to act, a hint; NO_PEER: nobody is known.
 */
#define NO_PEER (~0u)
bool spin_for(bool (*ready)(void *arg), void *arg, u32 peer);
/*
 * The last chance before this member sleeps, for what has no rule of its own (eventfd, epoll,
 * futexes, waiting for a child): true if the doorbell is not `seen` any more. False at once if a
 * spin_for of the same sleep was in vain.
 */
bool spin_for_doorbell(u32 seen);

#endif
