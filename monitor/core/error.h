/* SPDX-License-Identifier: ISC */
/* What was tried, why it failed, and what to do: one line of fixed size. */
#ifndef MONITOR_CORE_ERROR_H
#define MONITOR_CORE_ERROR_H

#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))

struct error {
	int code; /* errno, or 0 */
	char text[400];
};

/* Fills err and returns -1. code 0: no errno text is appended. */
int error_set(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * What a guest wrote reaches a terminal only as plain ASCII: no control characters, whatever the
 * terminal's encoding.
 */
void text_clean(char *text, size_t len);

#endif
