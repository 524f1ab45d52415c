/* SPDX-License-Identifier: ISC */
/* The life of a family's control group, from making to removing it; what it is for: cgroup.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "monitor/supervisor/cgroup.h"

#define MAKE_TRIES 8
/* The host takes a dead process out of its group a little after its parent has heard of it. */
#define REMOVE_TRIES 200
#define REMOVE_PAUSE_NS 1000000l

static const char *const prefixes[] = {"unifork-family-", "unifork-front-"};

int cgroup_file_read(int dir, const char *name, char *text, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return n < 0 ? -1 : 0;
}

int cgroup_file_write(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC), e;
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	e = errno;
	if (fd >= 0)
		close(fd);
	errno = e;
	return n < 0 ? -1 : 0;
}

static bool is_ours(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

/* Removes what dead families have left: nobody holds their locks, and nobody is in them. */
static void sweep(int parent)
{
	int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d && fd >= 0)
		close(fd);
	while (d && (e = readdir(d))) {
		int old;

		if (!is_ours(e->d_name))
			continue;
		old = openat(parent, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (old < 0)
			continue;
		if (flock(old, LOCK_EX | LOCK_NB) == 0)
			unlinkat(parent, e->d_name, AT_REMOVEDIR);
		close(old);
	}
	if (d)
		closedir(d);
}

/* Locks what was just made, unless a sweeper was faster. */
static bool dir_own(int parent, int dir, const char *name)
{
	struct stat now, ours;

	return flock(dir, LOCK_EX | LOCK_NB) == 0 && fstat(dir, &ours) == 0 &&
		   fstatat(parent, name, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_ino == ours.st_ino;
}

int cgroup_dir_make(int parent, bool front, char name[CGROUP_NAME_MAX])
{
	for (int i = 0; i < MAKE_TRIES; i++) {
		u64 number = 0;
		int dir;

		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			return -1;
		snprintf(name, CGROUP_NAME_MAX, "%s%d-%016llx", prefixes[front], (int)getpid(),
				 (unsigned long long)number);
		if (mkdirat(parent, name, 0755) < 0) {
			if (errno != EEXIST)
				return -1;
			continue;
		}
		dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0 && dir_own(parent, dir, name))
			return dir;
		if (dir >= 0)
			close(dir);
	}
	errno = EAGAIN;
	return -1;
}

struct setting {
	enum cgroup_controller controller;
	bool unified, required;
	const char *file, *value; /* NULL: the limit in bytes or tasks */
};

/* In the order in which they are written. What is not required a host may be built without. */
static const struct setting settings[] = {
	{CGROUP_MEMORY, true, true, "memory.max", NULL},
	{CGROUP_MEMORY, true, false, "memory.swap.max", "0"},
	{CGROUP_PIDS, true, true, "pids.max", NULL},
	{CGROUP_MEMORY, false, true, "memory.limit_in_bytes", NULL},
	{CGROUP_MEMORY, false, false, "memory.swappiness", "0"},
	/* What sockets hold, which version 2 has in memory.max, and version 1 counts for itself. */
	{CGROUP_MEMORY, false, false, "memory.kmem.tcp.limit_in_bytes", NULL},
	{CGROUP_MEMORY, false, false, "memory.memsw.limit_in_bytes", NULL},
	{CGROUP_PIDS, false, true, "pids.max", NULL},
};

static int settings_write(const struct cgroup_group *g, u64 memory_bytes, u64 tasks_max,
						  struct error *err)
{
	char number[32];

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *s = &settings[i];
		u64 limit = s->controller == CGROUP_MEMORY ? memory_bytes : tasks_max;

		if (!(g->controllers & s->controller) || s->unified != g->unified)
			continue;
		snprintf(number, sizeof(number), "%llu", (unsigned long long)limit);
		if (cgroup_file_write(g->dir, s->file, s->value ? s->value : number) < 0 && s->required)
			return error_set(err, errno, "cannot write %s of a new cgroup", s->file);
	}
	return 0;
}

static void group_close(struct cgroup_group *g)
{
	if (g->procs >= 0)
		close(g->procs);
	if (g->dir >= 0)
		close(g->dir);
	close(g->parent);
}

static int group_make(struct cgroup_group *g, const struct cgroup_place *place, u64 memory_bytes,
					  u64 tasks_max, struct error *err)
{
	*g = (struct cgroup_group){
		.controllers = place->controllers,
		.unified = place->unified,
		.parent = place->dir,
		.procs = -1,
	};
	sweep(place->dir);
	g->dir = cgroup_dir_make(place->dir, false, g->name);
	if (g->dir < 0) {
		error_set(err, errno, "cannot make a cgroup below the one that unifork runs in");
		close(g->parent);
		return -1;
	}
	g->procs = openat(g->dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (g->procs < 0)
		error_set(err, errno, "cannot open a new cgroup");
	if (g->procs < 0 || settings_write(g, memory_bytes, tasks_max, err) < 0) {
		unlinkat(g->parent, g->name, AT_REMOVEDIR);
		group_close(g);
		return -1;
	}
	return 0;
}

static void memory_open(struct cgroup *cg, const struct cgroup_group *g)
{
	cg->usage = openat(g->dir, g->unified ? "memory.current" : "memory.usage_in_bytes",
					   O_RDONLY | O_CLOEXEC);
	cg->events = openat(g->dir, g->unified ? "memory.events" : "memory.oom_control",
						O_RDONLY | O_CLOEXEC);
}

void cgroup_make(struct cgroup *cg, u64 memory_bytes, u64 tasks_max)
{
	unsigned wanted = (memory_bytes ? CGROUP_MEMORY : 0) | (tasks_max ? CGROUP_PIDS : 0);

	*cg = (struct cgroup){.leaf = -1, .usage = -1, .events = -1};
	while (wanted && cg->count < CGROUP_MOST) {
		struct cgroup_group *g = &cg->groups[cg->count];
		struct cgroup_place place;
		struct error err;

		if (cgroup_place_find(wanted, tasks_max, &place, &err) < 0 ||
			group_make(g, &place, memory_bytes, tasks_max, &err) < 0) {
			if (!cg->why_not.text[0])
				cg->why_not = err;
			if (!(wanted & CGROUP_MEMORY))
				break;
			wanted &= ~(unsigned)CGROUP_MEMORY; /* tasks may have a tree of their own */
			continue;
		}
		if (place.leaf >= 0)
			cg->leaf = place.leaf;
		cg->count++;
		cg->controllers |= g->controllers;
		wanted &= ~g->controllers;
		if (g->controllers & CGROUP_MEMORY)
			memory_open(cg, g);
	}
}

void cgroup_remove(struct cgroup *cg)
{
	struct timespec pause = {0, REMOVE_PAUSE_NS};

	for (u32 i = 0; i < cg->count; i++) {
		struct cgroup_group *g = &cg->groups[i];

		for (int n = 0; n < REMOVE_TRIES && unlinkat(g->parent, g->name, AT_REMOVEDIR) < 0 &&
						errno == EBUSY;
			 n++)
			nanosleep(&pause, NULL);
		group_close(g);
	}
	cg->count = 0;
	cg->controllers = 0;
}

int cgroup_enter(const struct cgroup *cg, struct error *err)
{
	for (u32 i = 0; i < cg->count; i++)
		if (write(cg->groups[i].procs, "0", 1) != 1)
			return error_set(err, errno, "cannot put a monitor into the family's cgroup");
	return 0;
}

void cgroup_kill(const struct cgroup *cg)
{
	for (u32 i = 0; i < cg->count; i++) {
		const struct cgroup_group *g = &cg->groups[i];

		if (g->unified && cgroup_file_write(g->dir, "cgroup.kill", "1") == 0)
			continue;
		if (g->controllers & CGROUP_PIDS)
			cgroup_file_write(g->dir, "pids.max", "0");
	}
}

bool cgroup_memory(const struct cgroup *cg, u64 *bytes)
{
	char text[32];
	ssize_t n = cg->usage < 0 ? -1 : pread(cg->usage, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = 0;
	*bytes = strtoull(text, NULL, 10);
	return true;
}

u64 cgroup_memory_peak(const struct cgroup *cg)
{
	char text[32];

	for (u32 i = 0; i < cg->count; i++) {
		const struct cgroup_group *g = &cg->groups[i];
		const char *file = g->unified ? "memory.peak" : "memory.max_usage_in_bytes";

		if (g->controllers & CGROUP_MEMORY &&
			cgroup_file_read(g->dir, file, text, sizeof(text)) == 0)
			return strtoull(text, NULL, 10);
	}
	return 0;
}

/* Both versions have a line "oom_kill NUMBER". */
u64 cgroup_oom_kills(const struct cgroup *cg)
{
	static const char line[] = "oom_kill ";
	char text[512];
	ssize_t n = cg->events < 0 ? -1 : pread(cg->events, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = 0;
	for (const char *p = text; p && *p; p = strchr(p, '\n'), p += p ? 1 : 0)
		if (!strncmp(p, line, sizeof(line) - 1))
			return strtoull(p + sizeof(line) - 1, NULL, 10);
	return 0;
}
