/* SPDX-License-Identifier: ISC */
/*
 * Memory that somebody hostile writes while the code under test reads it. The compiler calls a hook
 * before each load of that code (-fsanitize-coverage=trace-loads); where the address lies in
 * hostile memory, the input decides whether another value is stored there first. So what another
 * processor could do between any two reads happens at a place that the input names, and happens
 * again when the input is replayed. A thread that writes all the time can be had beside it.
 */
#ifndef TESTS_FUZZ_HOSTILE_H
#define TESTS_FUZZ_HOSTILE_H

#include "input.h"

struct hostile_value {
	u64 value;
};

/* A value for a field of so many bytes: what the target knows to be interesting. */
typedef u64 (*hostile_choose)(struct input *in);

/* From here on loads from [start, end) consume the schedule; between hostile_off and _on none. */
void hostile_begin(u64 start, u64 end, struct input schedule, hostile_choose choose);
void hostile_end(void);
/* Once, from a place that is no load: what a host call's time would give others. */
void hostile_moment(void);
/* The glue's own loads are not the code under test. Nests. */
void hostile_off(void);
void hostile_on(void);

#endif
