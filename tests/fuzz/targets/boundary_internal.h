/* SPDX-License-Identifier: ISC */
/* What boundary.c and boundary_net.c share: a host call under way, and what it is checked with. */
#ifndef TESTS_FUZZ_BOUNDARY_INTERNAL_H
#define TESTS_FUZZ_BOUNDARY_INTERNAL_H

#include "monitor/core/host_call.h"
#include "world.h"

struct call {
	long nr;
	u64 arg[6];
};

/* A handler asked for what it must never ask for: `rule` does not hold. */
_Noreturn void call_refused(const struct call *c, const char *rule);
#define REQUIRE(truth, c) ((truth) ? (void)0 : call_refused(c, #truth))

s64 call_make(const struct call *c); /* as it is */

/*
 * Memory that the host is given: the guest's, or live memory of the monitor. False: the guest's,
 * but nothing is there: EFAULT.
 */
bool call_memory(const struct call *c, u64 addr, u64 len);
/* The monitor's own, which no guest can write meanwhile. */
void call_own_memory(const struct call *c, u64 addr, u64 len);

/* A descriptor that the monitor opened for the guest or was handed: a handle of the member. */
bool fd_own(u64 fd);
bool fd_published(u64 fd); /* a listener of --publish */
bool fd_standard(u64 fd);

/* boundary_net.c */
/* Is it one of sockets, or of the set that watches them? */
bool net_call_known(const struct call *c);
s64 net_call(const struct call *c);

#endif
