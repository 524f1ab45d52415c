/* SPDX-License-Identifier: ISC */
/*
 * The requests of requests.def as both sides see them. The front answers each with one packet and
 * never waits for a client; a client waits a bounded time, and takes what it gets for hostile: root
 * may be talking to somebody else's process.
 */
#ifndef MONITOR_FAMILIES_REQUEST_H
#define MONITOR_FAMILIES_REQUEST_H

#include <jansson.h>

#include "monitor/families/family_dir.h"

#define REQUEST_VERSION 1
#define REQUEST_MAX (64u << 10) /* bytes of a packet, either way */
#define REQUEST_FDS 3             /* descriptors that can come with one */
#define ANSWER_PATIENCE_MS 5000

enum request {
#define REQUEST(name, ...) REQUEST_##name,
#include "monitor/families/requests.def"
#undef REQUEST
	REQUEST_COUNT,
};

extern const char *const request_names[REQUEST_COUNT];

/* Is it one that the table has, with the arguments that it has? err: what is wrong, one line. */
int request_check(const json_t *packet, enum request *which, struct error *err) MUST_CHECK;
/* Of a checked packet; `missing` for an optional one that is not there. */
long long request_number(const json_t *packet, const char *name, long long missing);

/* One packet, without ever waiting: 0, or -1 with errno. fds: REQUEST_FDS to go along, or NULL. */
int packet_send(int fd, const json_t *packet, const int *fds) MUST_CHECK;
/*
 * errno 0: the other side has closed; EBADMSG: it is no JSON object, or too long. fds: what came
 * along, of REQUEST_FDS, or -1: the caller's to close, in any case.
 */
json_t *packet_receive(int fd, int *fds);

/*
 * Client: the socket of a living family, or -1. code ECONNREFUSED: its front is gone.
 */
int control_connect(const struct family_dir *dir, struct error *err) MUST_CHECK;
/*
 * Asks and waits for the answer, which the caller frees. arguments, taken over: NULL for none. NULL
 * and err: no answer, or one that says no; code EREMOTE: the front says so; ETIMEDOUT: it is
 * silent; ECONNRESET: it is gone.
 */
json_t *control_ask(int fd, enum request which, json_t *arguments, struct error *err) MUST_CHECK;
/* The two halves of it, for an answer that may take long: receive does not wait. */
int control_send(int fd, enum request which, json_t *arguments, const int *fds,
				 struct error *err) MUST_CHECK;
json_t *control_receive(int fd, struct error *err) MUST_CHECK;
/* The front itself, of a connected socket: a pidfd, or -1. What it names listens at this moment. */
int control_front(const struct family_dir *dir, int fd);

#endif
