/* SPDX-License-Identifier: ISC */
/*
 * What members watch by epoll. The host counts that for the user and at a bound refuses more to all
 * of that user's programs, and to it a watch is a file with a number: one file that is handed out
 * under number after number makes more watches than a monitor has descriptors. An honest kernel
 * ends a watch with its handle. So when sockets are handed out, which is the only way to make more
 * of one, some child is looked at now and then, whoever asked: the record that says so is in kin.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "monitor/supervisor/supervisor_internal.h"

#define GIFTS_FOR_A_LOOK 64

/* More than an honest member has, which is one for each descriptor. */
static u32 watches_max(const struct supervisor *s)
{
	return 2 * MIN(s->files_max, (u32)HANDLES_MAX);
}

/* A line of fdinfo for each; 0: it is gone, or watches nothing. */
static u32 watches_count(struct supervisor *s, int pid)
{
	char name[40], text[16384];
	u32 lines = 0, most = watches_max(s);
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "%d/fdinfo/%d", pid, s->family.watch_fd);
	fd = proc_open(s, s->family.proc_fd, name, 0);
	while (fd >= 0 && lines <= most && (n = read(fd, text, sizeof(text))) > 0)
		for (const char *p = text; (p = memchr(p, '\n', (size_t)(text + n - p))); p++)
			lines++;
	if (fd >= 0)
		close(fd);
	return lines;
}

/* One of them, each as likely as the others. */
static int child_choose(struct supervisor *s, u32 random)
{
	FILE *f = children_open(s);
	int pid, chosen = 0;
	u32 seen = 0;

	while (f && fscanf(f, "%d", &pid) == 1) {
		random = random * 1664525u + 1013904223u;
		if ((random >> 8) % ++seen == 0)
			chosen = pid;
	}
	children_close(s, f);
	return chosen;
}

void watches_look(struct supervisor *s)
{
	int uncounted = s->uncounted, pid;
	u32 random;

	if (!family_has_sockets(&s->family) ||
		getrandom(&random, sizeof(random), 0) != sizeof(random) || random % GIFTS_FOR_A_LOOK)
		return;
	pid = child_choose(s, random);
	if (pid && watches_count(s, pid) > watches_max(s)) {
		error_set(&s->failure, 0, "a process of the family watches more sockets than it can have; "
								  "it was ended");
		s->ended = true;
	}
	s->uncounted = uncounted; /* what this look could not see is no reason to end the family */
}
