/* SPDX-License-Identifier: ISC */
/*
 * The supervisor's children as the host lists them, in the order of their birth: all monitors and
 * nobody else, however they came to be. Process ids here are those of the host's /proc, which need
 * not be the supervisor's; a child that is listed is not reaped before this process, the only one
 * that could, gets to it, so its entry stays its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/supervisor/supervisor_internal.h"

/*
 * What is gone has nothing to be counted, and what changes its ids at this moment is a monitor that
 * starts. Whatever else keeps this process from reading, above all a lack of descriptors, makes the
 * count wrong.
 */
static void uncounted(struct supervisor *s)
{
	if (errno != ENOENT && errno != ESRCH && errno != EACCES && errno != EPERM)
		s->uncounted = errno;
}

FILE *children_open(struct supervisor *s)
{
	int fd = openat(s->family.proc_fd, "thread-self/children", O_RDONLY | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

	if (f)
		return f;
	s->uncounted = errno;
	if (fd >= 0)
		close(fd);
	return NULL;
}

void children_close(struct supervisor *s, FILE *f)
{
	if (f && ferror(f))
		s->uncounted = EIO;
	if (f)
		fclose(f);
}

int proc_open(struct supervisor *s, int dir, const char *name, int flags)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | flags);

	if (fd < 0)
		uncounted(s);
	return fd;
}

bool proc_read(struct supervisor *s, int dir, const char *name, char *text, size_t size)
{
	int fd = proc_open(s, dir, name, 0);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0) {
		if (n < 0)
			uncounted(s);
		close(fd);
	}
	text[n > 0 ? n : 0] = 0;
	return n > 0;
}

/*
 * In the family's PID namespace that is everybody in it, by one call that can want for nothing:
 * members that were stopped must go on, whatever has run out meanwhile.
 */
void children_signal(struct supervisor *s, int sig)
{
	FILE *f;
	int pid;

	if (s->family.namespaced) {
		namespace_signal(sig);
		return;
	}
	f = children_open(s);

	while (f && fscanf(f, "%d", &pid) == 1) {
		char name[16];
		int dir;

		snprintf(name, sizeof(name), "%d", pid);
		dir = openat(s->family.proc_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			continue;
		syscall(SYS_pidfd_send_signal, dir, sig, NULL, 0);
		close(dir);
	}
	children_close(s, f);
}

/* One that is being taken down has no memory any more, and none that is dead has. */
static bool child_lives(struct supervisor *s, int pid)
{
	char name[24], text[128];

	snprintf(name, sizeof(name), "%d/statm", pid);
	return proc_read(s, s->family.proc_fd, name, text, sizeof(text)) &&
		   strtoull(text, NULL, 10) != 0;
}

bool children_exceed(struct supervisor *s, u64 most, u32 *count)
{
	int pid;

	for (int look = 0; look < 2; look++) {
		FILE *f = children_open(s);

		*count = 0;
		while (f && fscanf(f, "%d", &pid) == 1)
			*count += look == 0 || child_lives(s, pid);
		children_close(s, f);
		if (*count <= most)
			return false;
	}
	return true;
}

static bool number_after(const char *text, const char *name, u64 *value)
{
	const char *p = strstr(text, name);

	if (p)
		*value = strtoull(p + strlen(name), NULL, 10);
	return p;
}

/* How many seccomp programs hold it; before Linux 5.9, whether one does. */
static bool filters_read(struct supervisor *s, const char *name, u64 *filters)
{
	char text[4096];

	return proc_read(s, s->family.proc_fd, name, text, sizeof(text)) &&
		   (number_after(text, "\nSeccomp_filters:", filters) ||
			number_after(text, "\nSeccomp:", filters));
}

/* The program is the last that a monitor gives up; this process may have some from its caller. */
bool child_confined(struct supervisor *s, int pid_fd)
{
	char name[40], text[1024];
	u64 pid, own, filters;

	snprintf(name, sizeof(name), "thread-self/fdinfo/%d", pid_fd);
	if (!proc_read(s, s->family.proc_fd, name, text, sizeof(text)) ||
		!number_after(text, "\nPid:", &pid))
		return false;
	snprintf(name, sizeof(name), "%d/status", (int)pid);
	return filters_read(s, "thread-self/status", &own) && filters_read(s, name, &filters) &&
		   filters > own;
}
