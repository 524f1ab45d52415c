/* SPDX-License-Identifier: ISC */
/* See input.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "input.h"

const char *replay_name(void) __attribute__((weak));

_Noreturn void finding(const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "FINDING: ");
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "%s%s\n", replay_name ? ", input " : "", replay_name ? replay_name() : "");
	abort();
}
