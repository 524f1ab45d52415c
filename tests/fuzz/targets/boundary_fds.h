/* SPDX-License-Identifier: ISC */
/*
 * The descriptors that handlers have opened and not closed, as boundary_call saw it. Each belongs
 * to the guest (a handle of the member) when a hypercall ends, or is the set in which the monitor
 * watches sockets, or was forgotten.
 */
#ifndef TESTS_FUZZ_BOUNDARY_FDS_H
#define TESTS_FUZZ_BOUNDARY_FDS_H

#include "monitor/core/monitor.h"

enum place { PLACE_ELSEWHERE, PLACE_ROOT, PLACE_VOLUME, PLACE_READ };

void fds_opened(s64 fd);
void fds_close(u64 fd); /* for good: whoever closes, closes here */
bool fds_has(u64 fd);         /* opened by a handler */
bool fds_is_socket(u64 fd);
enum place fds_place(u64 fd); /* where below the folder the file lies now */
void fds_check(const struct member *m,
			   const char *call); /* finds what no handle names, and handles of nothing */
void fds_forget(void);            /* closes all */
int fds_lowest(void);             /* the first that is free */

#endif
