/* SPDX-License-Identifier: ISC */
/*
 * The family's control group, where one can be made: then the host keeps --memory and --pids
 * itself, whatever a guest does, and counts all that it keeps for the monitors (page tables, memory
 * slots, tasks). cgroups(7); the host kernel's admin-guide/cgroup-v2.rst and cgroup-v1/.
 *
 * Made by the process that the user started, in the host's namespaces, and removed by it when
 * nobody is left in the group. Its owner holds a lock on the directory, which the host releases
 * however the owner dies: a group that is not locked is a stale one, which the next family removes
 * and nobody ever joins. Descriptors are kept, so the group works from any namespace and root.
 */
#ifndef MONITOR_SUPERVISOR_CGROUP_H
#define MONITOR_SUPERVISOR_CGROUP_H

#include <stdbool.h>

#include "common/types.h"
#include "monitor/core/error.h"

enum cgroup_controller {
	CGROUP_MEMORY = 1,
	CGROUP_PIDS = 2,
};

#define CGROUP_NAME_MAX 64
#define CGROUP_PATH_MAX 4200
#define CGROUP_MOST 2 /* version 1: memory and pids each have a tree of their own */

/* Where a group can be made: cgroup_place.c. */
struct cgroup_place {
	unsigned controllers; /* that a group here has */
	bool unified;         /* version 2 */
	int dir;              /* the parent's directory */
	int leaf;             /* this process was moved into a group of its own; or -1 */
};

struct cgroup_group {
	unsigned controllers;
	bool unified;
	int parent, dir; /* dir is locked */
	int procs;       /* cgroup.procs, to write */
	char name[CGROUP_NAME_MAX];
};

struct cgroup {
	struct cgroup_group groups[CGROUP_MOST];
	u32 count;
	unsigned controllers; /* of all groups; 0: there is no group */
	int leaf;
	int usage, events;    /* files of the one with memory, to read; -1 */
	struct error why_not; /* text: what could not be had, and why */
};

/* memory_bytes and tasks_max: 0 is no limit. What the host does not give is not in controllers. */
void cgroup_make(struct cgroup *cg, u64 memory_bytes, u64 tasks_max);
/* Again and again until the last dead process is out of it, for a moment at most. */
void cgroup_remove(struct cgroup *cg);

/* Moves the calling process, which has one thread, into the group. */
int cgroup_enter(const struct cgroup *cg, struct error *err) MUST_CHECK;
/* SIGKILL for everybody in it, also for those that fork meanwhile; or nobody forks any more. */
void cgroup_kill(const struct cgroup *cg);

/* Bytes, with what the host could reclaim (page cache); false: the host keeps it no longer. */
bool cgroup_memory(const struct cgroup *cg, u64 *bytes);
u64 cgroup_memory_peak(const struct cgroup *cg); /* 0: this host does not say */
u64 cgroup_oom_kills(const struct cgroup *cg);

/* cgroup_place.c: where the wanted controllers, or the first of them, can be had. */
int cgroup_place_find(unsigned wanted, u64 tasks_max, struct cgroup_place *place,
					  struct error *err) MUST_CHECK;

/* Files of a group's directory. read: text, terminated; -1: errno. */
int cgroup_file_read(int dir, const char *name, char *text, size_t size);
int cgroup_file_write(int dir, const char *name, const char *text);
/* A new group that this process owns (locked): its directory, or -1 and errno. front: for itself */
int cgroup_dir_make(int parent, bool front, char name[CGROUP_NAME_MAX]);

#endif
