/* SPDX-License-Identifier: ISC */
/*
 * What happens to processes, for who watches the family (`unifork events`): a part of kin
 * (abi/kin.h). Kernels note it while `wanted` is not 0, one at a time (the lock of the process
 * table); the supervisor looks some times in a second, and counts what was written over meanwhile.
 */
#ifndef ABI_EVENTS_H
#define ABI_EVENTS_H

#include "common/types.h"

#define EVENTS_MAX 512

enum kin_event_kind { EVENT_NONE, EVENT_FORK, EVENT_EXEC, EVENT_EXIT, EVENT_OOM };

struct kin_event {
	u64 tsc;
	u32 kind, status; /* status: of EXIT, as wait(2) has it */
	s32 pid, ppid;
	char name[16];
};

struct kin_events {
	_Atomic u32 wanted; /* by the supervisor */
	u32 pad;
	_Atomic u64 head;   /* how many were ever noted: stored after the event */
	struct kin_event ring[EVENTS_MAX]; /* number n at [n % EVENTS_MAX] */
};

#endif
