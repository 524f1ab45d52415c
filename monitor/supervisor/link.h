/* SPDX-License-Identifier: ISC */
/*
 * What the front (front.c) and the supervisor say to each other over a pair of SOCK_SEQPACKET
 * sockets that nobody else has. Both ends are the same executable. End of file: the other is gone.
 */
#ifndef MONITOR_SUPERVISOR_LINK_H
#define MONITOR_SUPERVISOR_LINK_H

#include <stdbool.h>

#include "common/types.h"
#include "monitor/core/error.h"

/* Front to supervisor. */
enum link_kind {
	LINK_GO,      /* the namespaces are ready */
	LINK_SIGNAL,  /* value: a signal that the user or the terminal sent to the front */
	LINK_KILL,    /* value: a signal for PID 1, by request of a client; SIGKILL ends the family */
	LINK_STOP,    /* SIGTERM for PID 1; the family is ended after `value` seconds, -1: never */
	LINK_PAUSE,   /* value 1: stop all members, 0: let them go on */
	LINK_MEMBERS, /* a page of members from record `value` on; answered by one link_members */
	LINK_EVENTS,  /* value 1: tell by link_events what happens from now on; 0: no more */
	LINK_EXEC,    /* a program for the running family: struct link_exec, with three descriptors */
};
struct link_request {
	enum link_kind kind;
	int value;
};

/*
 * By request of a client, whose number `value` is the front's choice; answered by LINK_EXEC_BEGUN
 * and LINK_EXEC_ENDED, or the latter alone. It is sent as long as it is.
 */
#define LINK_EXEC_MAX (96u << 10)
struct link_exec {
	struct link_request head;
	u32 uid, gid, own_user, terminal;
	u32 argc, envc, bytes; /* of strings, each with its NUL */
	char strings[LINK_EXEC_MAX]; /* working directory or "", argv..., more environment... */
};

/* Supervisor to front; the last one comes when nothing of the family is left. */
enum link_end {
	LINK_ENDED,          /* status is PID 1's wait status; error if text is set */
	LINK_NO_NAMESPACES,  /* nothing has run: error says what the host refuses */
	LINK_STOPPED,        /* not the end: PID 1 is, by signal `status`; so should the front be */
	LINK_STARTED,        /* not the end: of a family with a name; status: enum backend_kind */
	LINK_EXEC_BEGUN,     /* not the end: a monitor was started for the program of `exec` */
	LINK_EXEC_ENDED,     /* not the end: it has ended with `status`; failed: it never began */
};
struct link_result {
	enum link_end end;
	int status;
	int exec;            /* the number that the front gave */
	bool failed;
	struct error error;
};

/* What the family says of its members, copied once and bounded, and what the host says of them. */
#define LINK_MEMBERS_MAX 32
struct link_member {
	s32 pid, ppid;    /* the family's word */
	s32 host_pid;     /* in the host's /proc; 0: not known */
	u64 cpu_us, memory_bytes; /* the host's: its private resident memory */
	char state;       /* the host's: R, S, D, T, ... of proc(5) */
	char name[16];    /* the family's word: any bytes, ended by a NUL */
};
struct link_members {
	u64 ended_cpu_us; /* of members that have ended */
	u64 shared_bytes; /* of kin */
	u32 count, next; /* next: the record to go on with; 0: that is all */
	struct link_member members[LINK_MEMBERS_MAX];
};

/* What the family says of its processes (abi/events.h), copied once and bounded. */
#define LINK_EVENTS_MAX 64
struct link_event {
	u64 time_ns;      /* CLOCK_REALTIME, by the family's word */
	u32 kind, status; /* any value */
	s32 pid, ppid;
	char name[16];    /* any bytes, ended by a NUL */
};
struct link_events {
	u32 count;
	u64 lost;         /* that were not seen before these */
	struct link_event events[LINK_EVENTS_MAX];
};
_Static_assert(sizeof(struct link_members) != sizeof(struct link_result) &&
				   sizeof(struct link_events) != sizeof(struct link_result) &&
				   sizeof(struct link_events) != sizeof(struct link_members),
			   "told apart by size");

#endif
