/* SPDX-License-Identifier: ISC */
/*
 * `unifork run` is two host processes. The front (front.c) is the one that the user started; the
 * supervisor, its child and init of the family's PID namespace, makes the family's kin, starts the
 * first monitor, is the parent and only reaper of all monitors, and translates signals.
 */
#ifndef MONITOR_SUPERVISOR_SUPERVISOR_H
#define MONITOR_SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>

#include "monitor/core/error.h"

struct run_volume {
	const char *host; /* host directory */
	const char *path; /* inside the family: absolute, normalised, none below another */
	bool read_only;
};

struct run_options {
	const char *backend; /* auto, kvm, process */
	const char *root;    /* host directory */
	const char *workdir; /* inside the family */
	const char *stats;   /* file to write, or NULL */
	const char *program; /* path inside the family */
	struct run_volume *volumes;
	unsigned volume_count;
	unsigned long long memory_bytes; /* --memory, 0: no limit */
	unsigned tasks_max;              /* --pids, 0: no limit */
	int stop_timeout_s;              /* --stop-timeout; -1: for ever */
	unsigned without;                /* --without: enum without_layer of monitor.h */
	bool tasks_asked;                /* tasks_max is not the default */
	bool init, verbose, workdir_given;
	bool job; /* a shell can stop and continue it */
	int argc, envc;
	char **argv, **envp;
};

/* Runs the family to its end. wait_status: PID 1's. -1 and err if the system failed. */
int supervisor_run(const struct run_options *o, int *wait_status, struct error *err) MUST_CHECK;

#endif
