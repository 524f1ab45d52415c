/* SPDX-License-Identifier: ISC */
/*
 * Tracers, for the guest programs: what a stop was in words, and the requests that they all need.
 */
#ifndef UNIFORK_TESTS_GUEST_TRACE_H
#define UNIFORK_TESTS_GUEST_TRACE_H

#include "guest.h"

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/user.h>

static UNUSED const char *event_name(int event)
{
	static const char *const names[] = {
		[PTRACE_EVENT_FORK] = "FORK",   [PTRACE_EVENT_VFORK] = "VFORK",
		[PTRACE_EVENT_CLONE] = "CLONE", [PTRACE_EVENT_EXEC] = "EXEC",
		[PTRACE_EVENT_EXIT] = "EXIT",   [PTRACE_EVENT_VFORK_DONE] = "VFORK_DONE",
	};

	if (event == PTRACE_EVENT_STOP)
		return "STOP";
	return event < (int)COUNT(names) && names[event] ? names[event] : "?";
}

static UNUSED const char *stop_text(int status)
{
	static char text[80];
	int event = status >> 16, sig = status >> 8 & 0xff;

	if (!WIFSTOPPED(status))
		return status_text(status);
	if (event)
		snprintf(text, sizeof(text), "event %s, %s", event_name(event), signal_name(sig & 0x7f));
	else if (sig & 0x80)
		snprintf(text, sizeof(text), "call");
	else
		snprintf(text, sizeof(text), "stopped by %s", signal_name(sig));
	return text;
}

/* The next stop of pid, or its end. */
static UNUSED int stop_wait(pid_t pid)
{
	int status = 0;

	if (waitpid(pid, &status, __WALL) != pid)
		die("wait for a stop");
	return status;
}

static UNUSED int stop_say(const char *name, pid_t pid)
{
	int status = stop_wait(pid);

	say("%s: %s", name, stop_text(status));
	return status;
}

static UNUSED void go_on(enum __ptrace_request request, pid_t pid, int sig)
{
	if (ptrace(request, pid, NULL, (void *)(long)sig))
		die("go on");
}

/* A child that is traced from the start, stopped; option: PTRACE_O_*. */
static UNUSED pid_t traced_start(int (*body)(void *), void *argument, long options)
{
	pid_t pid = fork_or_die();

	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			die("PTRACE_TRACEME");
		raise(SIGSTOP);
		_exit(body(argument));
	}
	if (stop_wait(pid) != (SIGSTOP << 8 | 0x7f))
		die("first stop");
	if (options && ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)options))
		die("PTRACE_SETOPTIONS");
	return pid;
}

static UNUSED int traced_event_message(pid_t pid)
{
	unsigned long message = 0;

	if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &message))
		die("PTRACE_GETEVENTMSG");
	return (int)message;
}

#endif
