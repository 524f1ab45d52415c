/* SPDX-License-Identifier: ISC */
/*
 * What cannot be executed, where nobody else can be told: PID 1's program, and an exec that fails
 * when there is no old program left.
 */
#include "kernel/exec/exec.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"

#define PATH_SHOWN 240

size_t exec_complaint(char *line, size_t size, const char *what, const char *path, s64 err)
{
	size_t len = strlen(path), half = (PATH_SHOWN - 3) / 2;
	char text[PATH_SHOWN + 1];

	strlcpy(text, path, sizeof(text));
	if (len > PATH_SHOWN) {
		strlcpy(text + half, "...", sizeof(text) - half);
		strlcpy(text + half + 3, path + len - half, sizeof(text) - half - 3);
	}
	len = (size_t)ksnprintf(line, size, "unifork: %s%s: %s\n", what, text, error_text(err));
	return MIN(len, size - 1);
}

void exec_complain(const char *what, const char *path, s64 err)
{
	char line[EXEC_COMPLAINT_MAX];

	host_io_write(2, line, exec_complaint(line, sizeof(line), what, path, err), HYP_IO_WAIT);
}
