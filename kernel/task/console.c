/* SPDX-License-Identifier: ISC */
/*
 * Which session has a terminal, and which of its process groups is in the foreground. The family's
 * first terminal is the host's (kernel/tty); signals typed on it reach the supervisor, which passes
 * them to the foreground group (inbox.c). The others are pseudo-terminals (kernel/tty).
 */
#include <asm/signal.h>

#include "kernel/task/table.h"

struct console *console_get(void)
{
	return &proc_table->console;
}

/* The foreground group is told when the leader exits (exit.c), as on Linux. */
void console_hang_up(struct console *c)
{
	tree_lock();
	s32 sid = c->session;
	struct kin_proc *leader = sid ? proc_find(sid) : NULL;
	if (leader && leader->sid == sid) {
		leader->lost_foreground = c->foreground_pgid;
		tree_signal(leader, SIGHUP, NULL);
		tree_signal(leader, SIGCONT, NULL);
	}
	c->foreground_pgid = 0;
	c->session = 0;
	tree_unlock();
}
