/* SPDX-License-Identifier: ISC */
/* What a handler can see of its frame's layout. */
#ifndef TESTS_UNIT_SIGNAL_ORACLE_H
#define TESTS_UNIT_SIGNAL_ORACLE_H

#include <stdint.h>

struct frame_facts {
	uint64_t uc_flags, xfeatures, xstate_bv;
	long info_from_uc;
	uint32_t uc_alignment, fp_alignment;
	uint32_t magic1, magic2, extended_size, xstate_size;
	int stack_flags;
	uint16_t fcw;
};

/* Raises a signal on the host and looks. */
const struct frame_facts *oracle_frame(void);

/*
 * The components of the processor's state that this process may use. The tiles of AMX are in XCR0
 * on a processor that has them, but not in the frames of a process that has not asked for them.
 */
uint64_t oracle_usable(void);

#endif
