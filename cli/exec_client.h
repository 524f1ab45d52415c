/* SPDX-License-Identifier: ISC */
/*
 * The client's side of a program that runs in a family: it makes pipes, whose other ends the family
 * gets, and carries what comes and goes. So the family never has a descriptor of the user's, and
 * sees the end of a file when this process is gone.
 */
#ifndef CLI_EXEC_CLIENT_H
#define CLI_EXEC_CLIENT_H

#include <stdbool.h>

#include "monitor/core/error.h"

struct exec_client {
	bool interactive, terminal;
	int family[3]; /* what the family gets; closed once it is sent */
	int in, out, err; /* the other ends; err: with a terminal that of the window's sizes */
};

/* -1 and err: no pipes. detach: nothing comes or goes. */
int exec_client_open(struct exec_client *c, bool interactive, bool terminal, bool detach,
					 struct error *err) MUST_CHECK;
void exec_client_sent(struct exec_client *c);
/*
 * Carries until there is something to read on control_fd, then what is still in the pipes. The
 * user's terminal is raw meanwhile, if the program has one.
 */
void exec_client_carry(struct exec_client *c, int control_fd);

#endif
