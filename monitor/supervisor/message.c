/* SPDX-License-Identifier: ISC */
/*
 * What the supervisor says on standard error. A guest may have stopped the terminal, and a pipe may
 * be full: a supervisor that waited there could not end its family any more. So a line is written
 * only where there is room, a timer ends a write that waits nevertheless, and a line that does not
 * get out is counted.
 */
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#include "monitor/supervisor/supervisor_internal.h"

#define LINE_MAX_BYTES 4096
#define WRITE_PATIENCE_US 50000

static unsigned dropped;

static void alarm_take(int sig)
{
}

static bool line_write(const char *text, size_t len)
{
	struct pollfd room = {STDERR_FILENO, POLLOUT, 0};
	struct sigaction sa = {.sa_handler = alarm_take}, old;
	/* Again and again: the first one may come before the write begins. */
	struct itimerval on = {{0, WRITE_PATIENCE_US}, {0, WRITE_PATIENCE_US}}, off = {{0, 0}, {0, 0}};
	ssize_t n;

	if (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT))
		return false;
	sigaction(SIGALRM, &sa, &old);
	setitimer(ITIMER_REAL, &on, NULL);
	n = write(STDERR_FILENO, text, len);
	setitimer(ITIMER_REAL, &off, NULL);
	sigaction(SIGALRM, &old, NULL);
	return n > 0;
}

void message(const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	int n = 0;
	va_list ap;

	if (dropped) {
		n = snprintf(text, sizeof(text),
					 "unifork: %u messages did not get out: standard error was full\n", dropped);
		if (!line_write(text, (size_t)n)) {
			dropped++;
			return;
		}
		dropped = 0;
	}
	n = snprintf(text, sizeof(text) - 1, "unifork: ");
	va_start(ap, fmt);
	n += vsnprintf(text + n, sizeof(text) - 1 - (size_t)n, fmt, ap);
	va_end(ap);
	n = MIN(n, (int)sizeof(text) - 2);
	text[n] = '\n';
	if (!line_write(text, (size_t)n + 1))
		dropped++;
}
