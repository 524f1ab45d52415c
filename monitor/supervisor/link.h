/* SPDX-License-Identifier: ISC */
/*
 * What the front (front.c) and the supervisor say to each other over a pair of SOCK_SEQPACKET
 * sockets that nobody else has. Both ends are the same executable. End of file: the other is gone.
 */
#ifndef MONITOR_SUPERVISOR_LINK_H
#define MONITOR_SUPERVISOR_LINK_H

#include <stdbool.h>

#include "monitor/core/error.h"

/* Front to supervisor: a signal that the user sent; 0: the namespaces are ready, go on. */
struct link_signal {
	int sig;
};

/* Supervisor to front; the last one comes when nothing of the family is left. */
enum link_end {
	LINK_ENDED,          /* status is PID 1's wait status; error if text is set */
	LINK_NO_NAMESPACES,  /* nothing has run: error says what the host refuses */
	LINK_STOPPED,        /* not the end: PID 1 is, by signal `status`; so should the front be */
};
struct link_result {
	enum link_end end;
	int status;
	bool failed;
	struct error error;
};

#endif
