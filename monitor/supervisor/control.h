/* SPDX-License-Identifier: ISC */
/*
 * The front of a family with a name answers requests (monitor/families/requests.def) on the socket
 * in the family's directory. It is part of the front's loop: no client is ever waited for, there is
 * at most one answer on the way to each, and who does not take it is let go. What only the
 * supervisor knows is asked of it over the link; the client waits for that, the front does not.
 */
#ifndef MONITOR_SUPERVISOR_CONTROL_H
#define MONITOR_SUPERVISOR_CONTROL_H

#include <poll.h>
#include <sys/types.h>

#include "monitor/families/request.h"
#include "monitor/supervisor/link.h"
#include "monitor/supervisor/supervisor.h"

#define CONTROL_CLIENTS_MAX 32
#define CONTROL_EXECS_MAX SESSIONS_MAX
#define CONTROL_WATCHERS_MAX 16
#define CONTROL_POLLS (CONTROL_CLIENTS_MAX + CONTROL_EXECS_MAX + CONTROL_WATCHERS_MAX + 1)

struct control_client {
	int fd;        /* -1: free */
	int from;      /* it waits for the page of members from that record on; -1: it does not */
	bool asked;    /* the supervisor was asked for that */
	u64 heard;     /* when it was heard last, as a number of the control's */
	int fds[REQUEST_FDS]; /* what came with the request that is being answered, or -1 */
};

/* A client that waits for the end of its program. It has left the others' places to them. */
struct control_exec {
	int fd;        /* -1: free, or it waits no more */
	int number;    /* by which the supervisor knows it */
	bool detach;   /* it waits for the beginning alone */
};

/* A client that is told of events until it goes. Who is slow misses some, and is told how many. */
struct control_watcher {
	int fd; /* -1: free */
	u64 lost;
};

struct control {
	struct run_named *named; /* NULL: the family has no name, and all of this does nothing */
	const struct run_options *options;
	int listen_fd, spare_fd; /* the spare one is given up to turn a client away */
	struct control_client clients[CONTROL_CLIENTS_MAX];
	struct control_exec execs[CONTROL_EXECS_MAX];
	int exec_number; /* the last one that was given */
	struct control_watcher watchers[CONTROL_WATCHERS_MAX];
	u64 hearings;
	bool paused;     /* all members are stopped */
	bool ending;     /* somebody has asked for the end: the family is not started again */
	bool page_asked; /* the supervisor owes a page, whoever still wants it */
	/* The front's: */
	int link_fd;     /* -1: there is no supervisor at this moment, but will be (--restart) */
	pid_t supervisor;
	u64 *kill_ns; /* the supervisor itself is killed then; 0: not at all */
};

int control_open(struct control *c, const struct run_options *o, struct error *err) MUST_CHECK;
/* The supervisor is gone, and so is what was asked of it. */
void control_reset(struct control *c);
void control_close(struct control *c); /* also in the supervisor: it is the front's alone */
/* Fills fds, of CONTROL_POLLS; how many there are. After poll(2): what they ask. */
u32 control_polls(const struct control *c, struct pollfd *fds);
void control_serve(struct control *c, const struct pollfd *fds, u32 count);
/* All of it was stopped, or goes on: ps looks for a file that says so. */
void control_paused(struct control *c, bool paused);
/* From the supervisor. */
void control_started(struct control *c, int backend);
void control_members(struct control *c, const struct link_members *page);
void control_exec(struct control *c, const struct link_result *said);
void control_events(struct control *c, const struct link_events *said);
/* control_events.c, as they come; and the front's own. status: -1 if it has none. */
void control_event(struct control *c, const char *event, int status);
void control_watch(struct control *c, struct control_client *client); /* who has asked for them */
void watcher_drop(struct control *c, struct control_watcher *watcher);
void control_tell(const struct control *c, enum link_kind kind, int value);

/*
 * control_requests.c: the answer, or NULL if it comes later (the client's `from` is set) or never,
 * for want of memory: then it is let go.
 */
json_t *control_answer(struct control *c, struct control_client *client, const json_t *packet);
json_t *control_page(const struct link_members *page);
json_t *control_exec_end(const struct link_result *said);
bool control_page_ask(struct control *c, int from); /* false: the supervisor does not listen */
json_t *control_refusal(const char *text);

#endif
