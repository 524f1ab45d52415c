/* SPDX-License-Identifier: ISC */
/*
 * In which order stores are seen: the only spelling of it in the kernel, on every processor. Locks
 * (kin_lock) and the plain operations of stdatomic.h, which are sequentially consistent, need
 * nothing of this.
 *
 * Two kinds of readers have to be thought of. One runs on another processor meanwhile and takes no
 * lock: publish and observe are a pair for it. The other is a burial, or whoever takes over the
 * lock of a dead owner. A member dies between two instructions and is reaped before anybody
 * recovers what it left, so that reader finds all stores before that point of the program and none
 * behind it, on weakly ordered processors as well: program_order is enough for it, and publish
 * implies that on both of its sides.
 */
#ifndef KERNEL_LIB_ORDER_H
#define KERNEL_LIB_ORDER_H

#include <stdatomic.h>

#define ORDER_ATOMIC(p) ((_Atomic __typeof__(*(p)) *)(p))

/* The one store that makes a change: who observes it, sees all that was stored before it. */
#define publish(p, v)                                                                              \
	({                                                                                             \
		atomic_store_explicit(ORDER_ATOMIC(p), (v), memory_order_release);                         \
		program_order();                                                                           \
	})
/* Reads what others publish without a lock. */
#define observe(p) atomic_load_explicit(ORDER_ATOMIC(p), memory_order_acquire)

/* The compiler moves no access to memory across this. */
#define program_order() atomic_signal_fence(memory_order_seq_cst)
/* What was loaded before is not newer than what is loaded behind: the reader of a seqlock. */
#define load_order() atomic_thread_fence(memory_order_acquire)
/*
 * A store before this is visible before anything behind it is loaded. The other side does the same
 * with store and load exchanged: one of the two sees the other's store.
 */
#define full_barrier() atomic_thread_fence(memory_order_seq_cst)

#endif
