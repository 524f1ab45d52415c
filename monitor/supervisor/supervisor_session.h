/* SPDX-License-Identifier: ISC */
/* Sessions as the supervisor keeps them: session.c. What of them lies in kin: abi/session.h. */
#ifndef MONITOR_SUPERVISOR_SUPERVISOR_SESSION_H
#define MONITOR_SUPERVISOR_SUPERVISOR_SESSION_H

#include <stdbool.h>
#include <sys/types.h>

#include "abi/session.h"

/*
 * A program that was brought into the running family, and its descendants. It ends when
 * nobody is left who has its number; the descriptors are needed until then.
 */
enum session_state {
	SESSION_FREE,
	SESSION_ASKED,   /* no kernel has given a record yet */
	SESSION_RUNNING, /* its program does */
	SESSION_LEFT,    /* its program has ended; descendants may live */
};
struct session {
	enum session_state state;
	u32 number;      /* kin_session.record's and kin_member.session's; never 0 */
	int exec;        /* the front's number */
	int fds[3];      /* standard input, output and error; -1 */
	pid_t pid;       /* its program's monitor */
	u32 args, args_size; /* its part of kin_header.args */
	int status;      /* as the front shows it */
	bool tell;       /* the front has to hear of the end; its socket was full */
	u64 again_ns;    /* ASKED: the family is asked again */
	u64 deadline_ns; /* ASKED: given up */
};

struct sessions {
	struct session all[SESSIONS_MAX]; /* by index in kin */
	u32 count;   /* that are not FREE */
	u32 serial;  /* how often one was made */
	u32 args;    /* of kin_header.args: what is behind the first program's */
	u64 look_ns; /* the next look; 0: none */
};

/*
 * exec: a copy of `size` bytes; fds are taken over. check: from the event loop, unless all is
 * paused. reaped: for each monitor, before its record is looked for.
 */
struct supervisor;
struct link_exec;
void session_make(struct supervisor *s, const struct link_exec *exec, size_t size, const int *fds);
void sessions_check(struct supervisor *s);
void sessions_reaped(struct supervisor *s, pid_t pid, int host_status);
/* The standard streams for a member of that record: NULL for those of this process. false: none. */
bool session_streams(struct supervisor *s, u32 index, const int **fds);

#endif
