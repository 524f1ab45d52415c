/* SPDX-License-Identifier: ISC */
/*
 * What cannot be executed, where nobody else can be told: PID 1's program, and an exec that fails
 * when there is no old program left.
 */
#include "kernel/exec/exec.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"

#define PATH_SHOWN 240

void exec_complain(const char *what, const char *path, s64 err)
{
	size_t len = strlen(path), half = (PATH_SHOWN - 3) / 2;
	char line[512], text[PATH_SHOWN + 1];

	strlcpy(text, path, sizeof(text));
	if (len > PATH_SHOWN) {
		strlcpy(text + half, "...", sizeof(text) - half);
		strlcpy(text + half + 3, path + len - half, sizeof(text) - half - 3);
	}
	int n = ksnprintf(line, sizeof(line), "unifork: %s%s: %s\n", what, text, error_text(err));

	host_io_write(2, line, MIN((size_t)n, sizeof(line) - 1), HYP_IO_WAIT);
}
