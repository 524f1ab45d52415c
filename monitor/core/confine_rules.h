/* SPDX-License-Identifier: ISC */
/* The seccomp allowlist as rules for libseccomp; confine_filter.c makes a program of them. */
#ifndef MONITOR_CORE_CONFINE_RULES_H
#define MONITOR_CORE_CONFINE_RULES_H

#include "monitor/core/monitor.h"

/* filter: a scmp_filter_ctx. 0 or -errno; *what: the system call it failed at. */
int confine_rules_add(void *filter, const struct family *f, bool fsgsbase, const char **what);
/*
 * For the unit test: every name in the table of hypercalls has a rule and every rule is needed;
 * else *missing names one.
 */
bool confine_rules_complete(const char **missing);

#endif
