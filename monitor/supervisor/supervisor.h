/* SPDX-License-Identifier: ISC */
/*
 * `unifork run` is two host processes. The front (front.c) is the one that the user started; the
 * supervisor, its child and init of the family's PID namespace, makes the family's kin, starts the
 * first monitor, is the parent and only reaper of all monitors, and translates signals.
 */
#ifndef MONITOR_SUPERVISOR_SUPERVISOR_H
#define MONITOR_SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>

#include "abi/kin.h"
#include "monitor/core/error.h"
#include "monitor/families/family_dir.h"

struct run_volume {
	const char *host; /* host directory, or a regular file */
	const char *path; /* inside the family: absolute, normalised, none below another */
	bool read_only, is_file;
};

struct run_tmpfs {
	const char *path; /* inside the family: absolute, normalised */
	unsigned mode, uid, gid;
	unsigned long long size; /* bytes; 0: none was given */
};

/* --net: whether members may make sockets of the host, and in which network namespace. */
enum run_net {
	RUN_NET_NONE,
	RUN_NET_HOST, /* the one that unifork was started in */
	RUN_NET_USER, /* a new one that pasta connects */
	RUN_NET_PATH, /* net_path */
};

/* A port of the host's that leads to who listens on `port` inside. */
struct run_publish {
	const char *given; /* as the user wrote it */
	bool six;
	unsigned char address[16]; /* the first 4, or all; 0: any */
	unsigned host_port, port;
};

struct run_limit {
	bool set;
	unsigned long long soft, hard;
};

/* A family with a name: --name, -d. */
struct run_named {
	int families_fd;       /* the state directory */
	struct family_dir dir; /* its lock is held */
	bool detached;
	int started_fd;        /* gets one byte when the family has started; -1: nobody waits */
	/* Said by the front: */
	bool started;
	const char *backend;
};

struct run_options {
	const char *backend; /* auto, kvm, process */
	const char *root;    /* host directory */
	const char *workdir; /* inside the family */
	const char *stats;   /* file to write, or NULL */
	const char *program; /* path inside the family */
	struct run_volume *volumes;
	unsigned volume_count;
	struct run_tmpfs *tmpfs;
	unsigned tmpfs_count;
	enum run_net net;
	const char *net_path;
	struct run_publish publish[PUBLISHED_MAX];
	unsigned publish_count;
	unsigned uid, gid; /* of the first program */
	unsigned groups[START_GROUPS_MAX], group_count;
	const char *home;     /* inside; the first program must be able to use it. NULL: or not */
	const char *hostname;
	const char *passwd, *group; /* lines that the root directory's files lack; or NULL */
	bool read_only; /* --read-only: the layer above the root directory takes nothing */
	struct run_limit limits[START_LIMITS]; /* RLIMIT_* */
	unsigned long long memory_bytes; /* --memory, 0: no limit */
	unsigned tasks_max;              /* --pids, 0: no limit */
	int stop_timeout_s;              /* --stop-timeout; -1: for ever */
	unsigned without;                /* --without: enum without_layer of monitor.h */
	bool tasks_asked;                /* tasks_max is not the default */
	bool init, verbose, workdir_given;
	char *title;       /* the memory of this process's arguments, one after the other */
	size_t title_size;
	bool job; /* a shell can stop and continue it */
	int argc, envc;
	char **argv, **envp;
	struct run_named *named; /* NULL: nothing is kept of it */
};

/* Runs the family to its end. wait_status: PID 1's. -1 and err if the system failed. */
int supervisor_run(const struct run_options *o, int *wait_status, struct error *err) MUST_CHECK;

#endif
