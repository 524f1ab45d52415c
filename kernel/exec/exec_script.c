/* SPDX-License-Identifier: ISC */
/*
 * The first line of a script: "#!", blanks, the interpreter's path, and everything after the next
 * blanks as one argument without trailing blanks. A path that is cut off at the end of the buffer
 * is an error, a cut argument is not.
 */
#include "kernel/exec/exec.h"

#include <asm/errno.h>

#include "kernel/lib/lib.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* First byte in [p, end) that is not blank, or end. */
static char *skip_blanks(char *p, char *end)
{
	while (p < end && blank(*p))
		p++;
	return p;
}

/* First blank or NUL in [p, end), or end. */
static char *word_end(char *p, char *end)
{
	while (p < end && !blank(*p) && *p)
		p++;
	return p;
}

bool script_detect(const char *head)
{
	return head[0] == '#' && head[1] == '!';
}

int script_parse(char *head, const char **interpreter, const char **argument)
{
	char *last = head + EXEC_HEAD_SIZE - 1;
	char *end = memchr(head, '\n', EXEC_HEAD_SIZE);
	char *name, *after;

	if (!end) {
		/* Without a newline the path is only whole if something ends it. */
		name = skip_blanks(head + 2, last);
		if (name == last || word_end(name, last) == last)
			return -ENOEXEC;
		end = last;
	}
	while (end > head + 2 && blank(end[-1]))
		end--;
	*end = '\0';
	name = skip_blanks(head + 2, end);
	if (name == end)
		return -ENOEXEC;
	if (!*name) /* nothing follows: Linux then opens the empty path */
		return -EACCES;
	after = word_end(name, end);
	*argument = NULL;
	if (*after) {
		*after++ = '\0';
		after = skip_blanks(after, end);
		if (*after)
			*argument = after;
	}
	*interpreter = name;
	return 0;
}
