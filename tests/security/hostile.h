/* SPDX-License-Identifier: ISC */
/*
 * What hostile guests share: every attempt runs in a child of its own, so that one death does not
 * hide the next attempt, and the verdict is one line `name: held` or `name: BROKEN`. SIGKILL ends
 * each, whatever it has done to itself.
 */
#ifndef UNIFORK_TESTS_HOSTILE_H
#define UNIFORK_TESTS_HOSTILE_H

#include "guest.h"

/* An attempt returns 0 if it was refused or did nothing, anything else if it got through. */
static UNUSED void attempt(const char *name, int (*body)(void *), void *argument)
{
	struct rlimit none = {0, 0};
	pid_t pid = fork_or_die();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		alarm(5);
		_exit(body(argument));
	}
	/* The child may have destroyed what would end it: its alarm, its own kernel. */
	int status = 0, waited_ms = 0;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		pause_ms(5);
		waited_ms += 5;
		if (waited_ms == 6000)
			kill(pid, SIGKILL);
		if (waited_ms > 30000)
			die("a member that SIGKILL does not end");
	}
	bool held = WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0);
	say("%s: %s", name, held ? "held" : "BROKEN");
	guest_failures += !held;
}

#endif
