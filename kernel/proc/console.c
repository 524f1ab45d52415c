/* SPDX-License-Identifier: ISC */
/*
 * Which session has the family's terminal, and which of its process groups is in the foreground.
 * The terminal itself is the host's (kernel/fs); signals typed on it reach the supervisor, which
 * passes them to the foreground group (inbox.c).
 */
#include "kernel/proc/table.h"

struct console *console_get(void)
{
	return &proc_table->console;
}
