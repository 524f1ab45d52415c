/* SPDX-License-Identifier: ISC */
/*
 * A family whose first process is told what to do in lines, and answers in lines; its kin is mapped
 * here, too, to be read.
 */
#ifndef TESTS_DEATH_FAMILY_H
#define TESTS_DEATH_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct family {
	pid_t front;
	int to, from, errors;
	char unread[512];
	size_t nunread;
};

/* Its stderr is kept for family_errors. Ends the program where that cannot be. */
void family_start(struct family *f, char **command);
/* After the family's first answer: kin is there by then. */
void family_map(struct family *f);
/* The host's number of the monitor with that one in the family's PID namespace; 0: none. */
pid_t family_monitor(struct family *f, int pid);
bool family_tell(struct family *f, const char *line);
/* The next line without its end; false: none within that time, or its end. */
bool family_hear(struct family *f, char *line, size_t size, int timeout_ms);
/* What it has said on stderr, in one line. */
void family_errors(struct family *f, char *text, size_t size);
/* Its exit status if it ends within that time, else it is killed: -1. */
int family_end(struct family *f, int timeout_ms);

#endif
