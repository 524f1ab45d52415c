/* SPDX-License-Identifier: ISC */
/*
 * The namespaces of a family and the ids in them. user_namespaces(7), pid_namespaces(7),
 * mount_setattr(2), pivot_root(2); docs/adr/0004.
 */
#ifndef MONITOR_SUPERVISOR_NAMESPACES_H
#define MONITOR_SUPERVISOR_NAMESPACES_H

#include <sys/types.h>

#include "common/types.h"
#include "monitor/core/error.h"

struct supervisor;

enum namespaces_kind {
	NAMESPACES_NONE,    /* the host refuses them, or --without namespaces */
	NAMESPACES_ROOT,    /* made by root without a user namespace of their own */
	NAMESPACES_USER,    /* with one */
};

/*
 * Forks: the child is init of new PID, mount, IPC, UTS and cgroup namespaces, where the host has
 * them inside a new user namespace. Returns as fork(2); -1 with err if the host refuses. In the
 * parent *kind says what there is, and namespaces_map must follow before the child does anything.
 */
pid_t namespaces_fork(enum namespaces_kind *kind, bool network, struct error *err) MUST_CHECK;
/* The parent gives the child's user namespace its ids: they mean the same inside and outside. */
int namespaces_map(pid_t child, enum namespaces_kind kind, struct error *err) MUST_CHECK;

/*
 * A user id that nobody else has, for the monitors of a family that root started: what the host
 * counts by user (processes, descriptors in flight, ...) is then this family's alone. *id 0: there
 * is none. As seen from the namespace that calls.
 */
int namespaces_nobody(u32 *id, struct error *err) MUST_CHECK;

/*
 * In the supervisor: a root directory that holds exactly what was granted. The family's directory
 * descriptors are opened anew below it; no path leads to the host's other files afterwards.
 */
int private_root_enter(struct supervisor *s, struct error *err) MUST_CHECK;

#endif
