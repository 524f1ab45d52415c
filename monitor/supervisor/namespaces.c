/* SPDX-License-Identifier: ISC */
/*
 * The family's namespaces. A network namespace only if one was asked for (--net user): else no
 * member can make a socket, or the sockets are to be in another one, and a new one costs more than
 * all the others together.
 *
 * Ids are mapped to themselves. Started by root that is all of them, so that files of the root
 * directory and of volumes keep their owners and a capability in this namespace means something for
 * them, and for nothing else of the host. An ordinary user can map only itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/types.h"
#include "monitor/supervisor/namespaces.h"

#define MAP_TEXT_MAX 4096 /* the host takes one write of a page at most */
/* Ids that neither distributions nor container managers give away (systemd: UIDS-GIDS.md). */
#define NOBODYS_IDS 0x70000000u
#define NOBODYS_IDS_COUNT 0x10000000u

static pid_t clone_into(u64 namespaces)
{
	return (pid_t)syscall(SYS_clone, namespaces | SIGCHLD, NULL, NULL, NULL, NULL);
}

pid_t namespaces_fork(enum namespaces_kind *kind, bool network, struct error *err)
{
	const u64 all = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
					(network ? CLONE_NEWNET : 0);
	pid_t pid = clone_into(all | CLONE_NEWUSER);

	*kind = NAMESPACES_USER;
	if (pid < 0 && errno != EAGAIN && errno != ENOMEM && geteuid() == 0) {
		*kind = NAMESPACES_ROOT;
		pid = clone_into(all);
	}
	if (pid < 0) {
		*kind = NAMESPACES_NONE;
		error_set(err, errno, "cannot make namespaces for the family");
	}
	return pid;
}

static int map_write(pid_t child, const char *name, const char *text)
{
	char path[64];
	int fd, e = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)child, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (write(fd, text, strlen(text)) < 0)
		e = errno;
	close(fd);
	errno = e;
	return e ? -1 : 0;
}

/* All ids that this process' own namespace has, each mapped to itself. *last: the highest. */
static int map_all(char *text, const char *path, u32 *last)
{
	unsigned long long inside, outside, count;
	size_t at = 0;
	FILE *f = fopen(path, "re");

	*last = 0;
	if (!f)
		return -1;
	while (fscanf(f, "%llu %llu %llu", &inside, &outside, &count) == 3 && count) {
		int n = snprintf(text + at, MAP_TEXT_MAX - at, "%llu %llu %llu\n", inside, inside, count);

		if (n < 0 || (size_t)n >= MAP_TEXT_MAX - at)
			break;
		at += (size_t)n;
		*last = MAX(*last, (u32)(inside + count - 1));
	}
	fclose(f);
	errno = EINVAL;
	return at ? 0 : -1;
}

static int map_root(pid_t child)
{
	static const char *const names[] = {"uid_map", "gid_map"};
	char text[MAP_TEXT_MAX], path[32];
	u32 last;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", names[i]);
		if (map_all(text, path, &last) < 0 || map_write(child, names[i], text) < 0)
			return -1;
	}
	return 0;
}

/* Linux lets an ordinary user map its group only where nobody can drop groups. */
static int map_self(pid_t child)
{
	char text[64];

	snprintf(text, sizeof(text), "%u %u 1", geteuid(), geteuid());
	if (map_write(child, "setgroups", "deny") < 0 || map_write(child, "uid_map", text) < 0)
		return -1;
	snprintf(text, sizeof(text), "%u %u 1", getegid(), getegid());
	return map_write(child, "gid_map", text);
}

int namespaces_map(pid_t child, enum namespaces_kind kind, struct error *err)
{
	if (kind != NAMESPACES_USER)
		return 0;
	if ((geteuid() == 0 ? map_root(child) : map_self(child)) < 0)
		return error_set(err, errno, "cannot map the ids of the family's user namespace");
	return 0;
}

int namespaces_nobody(u32 *id, struct error *err)
{
	char text[MAP_TEXT_MAX];
	u32 last, random = 0;

	if (map_all(text, "/proc/self/uid_map", &last) < 0)
		return error_set(err, errno, "cannot read which user ids there are");
	if (last >= NOBODYS_IDS && getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = (u32)getpid();
	*id = last < NOBODYS_IDS ? last : NOBODYS_IDS | (random & (NOBODYS_IDS_COUNT - 1));
	return 0;
}
