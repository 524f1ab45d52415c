/* SPDX-License-Identifier: ISC */
/*
 * What root may tune in /proc/sys, for the whole family: single words in kin, of which the last
 * store counts. Who is bounded by one reads it when it matters.
 */
#ifndef KERNEL_TASK_TUNABLES_H
#define KERNEL_TASK_TUNABLES_H

#include "common/types.h"

/* name, what it is at first, the least and the most that may be written: as on Linux. */
#define TUNABLES(X)                                           \
	X(SHM_MAX, ~0ull - (1ull << 24), 0, ~0ull)                \
	X(SHM_ALL, ~0ull - (1ull << 24), 0, ~0ull)                \
	X(SHM_COUNT, 4096, 0, 32768)                              \
	X(MSG_MAX, 8192, 0, 1u << 31)                             \
	X(MSG_QUEUE_BYTES, 16384, 0, 0x7fffffff)                  \
	X(MSG_COUNT, 32000, 0, 32768)                             \
	X(SEM_PER_SET, 32000, 0, 0x7fffffff)                      \
	X(SEM_ALL, 1024000000, 0, 0x7fffffff)                     \
	X(SEM_OPERATIONS, 500, 0, 0x7fffffff)                     \
	X(SEM_SETS, 32000, 0, 32768)                              \
	X(PIPE_SIZE, 1u << 20, 0, 1u << 31)                       \
	X(MQ_MESSAGES, 10, 1, 65536)                              \
	X(MQ_SIZE, 8192, 128, 16u << 20)                          \
	X(MQ_MESSAGES_DEFAULT, 10, 1, 65536)                      \
	X(MQ_SIZE_DEFAULT, 8192, 128, 16u << 20)                  \
	X(MQ_QUEUES, 256, 0, 0x7fffffff)

enum tunable {
#define X(name, ...) TUNE_##name,
	TUNABLES(X)
#undef X
	TUNABLE_COUNT
};

u64 tunable_get(enum tunable t);
s64 tunable_set(enum tunable t, u64 value); /* 0, -EINVAL: out of bounds, -ENOMEM */

#endif
