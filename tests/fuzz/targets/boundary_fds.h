/* SPDX-License-Identifier: ISC */
/*
 * The descriptors that handlers have opened and not closed, as boundary_call saw it. Each belongs
 * to the guest (a handle of the member) when a hypercall ends, or was forgotten.
 */
#ifndef TESTS_FUZZ_BOUNDARY_FDS_H
#define TESTS_FUZZ_BOUNDARY_FDS_H

#include "monitor/core/monitor.h"

enum place { PLACE_ELSEWHERE, PLACE_ROOT, PLACE_VOLUME, PLACE_READ };

void fds_opened(s64 fd);
void fds_closed(u64 fd);
bool fds_has(u64 fd);         /* opened by a handler */
enum place fds_place(u64 fd); /* where below the folder the file lies now */
void fds_check(const struct member *m,
			   const char *call); /* finds what no handle names, and handles of nothing */
void fds_forget(void);            /* closes all */

#endif
