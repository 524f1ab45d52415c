/* SPDX-License-Identifier: ISC */
/* The list of mounts that the host shows this process: mountinfo, proc(5). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monitor/supervisor/host_mounts.h"

/* "\040" and the like: what mountinfo makes of blanks. In place. */
static void unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3]) {
			*out++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
			text += 3;
		} else {
			*out++ = *text;
		}
	}
	*out = 0;
}

/* Number, parent's number, device, root, path ... - type */
static int line_parse(char *line, struct mount_line *m, struct error *err)
{
	char *type = strstr(line, " - "), *at = line;

	m->id = strtoull(at, &at, 10);
	m->parent = strtoull(at, &at, 10);
	for (int blanks = 0; blanks < 3 && *at; at++)
		blanks += *at == ' ';
	if (!type || at >= type || !m->id)
		return error_set(err, 0, "cannot read the list of mounts");
	m->type = type + 3;
	m->type[strcspn(m->type, " ")] = 0;
	m->path = at;
	m->path[strcspn(m->path, " ")] = 0;
	unescape(m->path);
	return 0;
}

static const struct mount_line *line_of(const struct mounts *all, unsigned long long id)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->lines[i].id == id)
			return &all->lines[i];
	return NULL;
}

/* Does it, or what it is mounted in, have a cover? That holds whatever is renamed. */
bool mount_is_covered(const struct mounts *all, const struct mount_line *m)
{
	for (size_t depth = 0; m && depth <= all->count; depth++) {
		if (m->covered)
			return true;
		m = m->parent == m->id ? NULL : line_of(all, m->parent);
	}
	return false;
}

/* Is the way to m through another mount, on top of it or of a directory above it? */
bool mount_is_behind(const struct mounts *all, const struct mount_line *m)
{
	const struct mount_line *below = NULL; /* on the way down to where it began */

	for (size_t depth = 0; m && depth <= all->count; depth++) {
		for (size_t i = 0; i < all->count; i++) {
			const struct mount_line *other = &all->lines[i];
			size_t len = strlen(other->path);

			if (other == m || other == below || strncmp(other->path, m->path, len))
				continue;
			if (other->parent == m->id ? !m->path[len]
									   : other->parent == m->parent && m->path[len] == '/')
				return true;
		}
		below = m;
		m = m->parent == m->id ? NULL : line_of(all, m->parent);
	}
	return false;
}

/* A file of /proc as a string, read before anything is changed that it would show. */
static char *slurp(int fd)
{
	size_t room = 16384, used = 0;
	char *text = malloc(room), *more;
	ssize_t n = 1;

	while (text && n > 0) {
		if (room - used < 4096) {
			more = realloc(text, room *= 2);
			if (!more)
				free(text);
			text = more;
			continue;
		}
		n = read(fd, text + used, room - used - 1);
		used += n > 0 ? (size_t)n : 0;
	}
	if (!text || n < 0) {
		free(text);
		return NULL;
	}
	text[used] = 0;
	return text;
}

static int lines_parse(char *text, struct mounts *all, struct error *err)
{
	size_t count = 0;
	char *line, *rest;

	for (const char *c = text; *c; c++)
		count += *c == '\n';
	all->lines = calloc(count + 1, sizeof(*all->lines));
	if (!all->lines)
		return error_set(err, ENOMEM, "cannot read the list of mounts");
	for (all->count = 0, line = text; *line; line = rest) {
		struct mount_line *m = &all->lines[all->count++];

		rest = line + strcspn(line, "\n");
		if (*rest)
			*rest++ = 0;
		if (line_parse(line, m, err) < 0)
			return -1;
		for (size_t i = 0; i < all->covered_count; i++)
			m->covered |= all->covered[i] == m->id;
	}
	return 0;
}

int mounts_read(int proc_fd, struct mounts *all, struct error *err)
{
	int fd = openat(proc_fd, "thread-self/mountinfo", O_RDONLY | O_CLOEXEC), r;

	all->text = fd < 0 ? NULL : slurp(fd);
	if (fd >= 0)
		close(fd);
	if (!all->text)
		return error_set(err, errno, "cannot read the list of mounts");
	r = lines_parse(all->text, all, err);
	if (r < 0)
		mounts_free(all);
	return r;
}

void mounts_free(struct mounts *all)
{
	free(all->lines);
	free(all->text);
	all->lines = NULL;
	all->text = NULL;
	all->count = 0;
}
