/* SPDX-License-Identifier: ISC */
/*
 * Where a family's control group can be made: nowhere where it would leave a limit that was put
 * around this process.
 *
 * Version 1: below the own group. Version 2 has no processes beside groups that are limited, so
 * the place is, in this order: the own group if it is the root; the own group if this process is
 * alone in it, which moves into a leaf then (a service with Delegate=yes); the nearest ancestor
 * that gives its groups the controllers and may be changed, if no group on the way has limits of
 * its own (a login of root; the scopes and services of a user's manager).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "monitor/supervisor/cgroup.h"

static const struct {
	enum cgroup_controller controller;
	const char *name;
} controllers[] = {{CGROUP_MEMORY, "memory"}, {CGROUP_PIDS, "pids"}};

static bool list_has(const char *list, const char *word, const char *separators)
{
	size_t len = strlen(word);

	while (*list) {
		size_t n = strcspn(list, separators);

		if (n == len && !memcmp(list, word, len))
			return true;
		list += n + (list[n] != 0);
	}
	return false;
}

/* The own group's path in the tree that has the controller; NULL: in the unified one. */
static bool own_path(const char *controller, char *path, size_t size)
{
	char line[CGROUP_PATH_MAX];
	FILE *f = fopen("/proc/self/cgroup", "re");
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		char *list = strchr(line, ':'), *at = list ? strchr(list + 1, ':') : NULL;

		line[strcspn(line, "\n")] = 0;
		if (!at)
			continue;
		*at++ = 0;
		found = controller ? list_has(list + 1, controller, ",") : !strcmp(line, "0:");
		if (found)
			snprintf(path, size, "%s", at);
	}
	if (f)
		fclose(f);
	return found && !strstr(path, "/.."); /* that is outside of a cgroup namespace */
}

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		int c;

		if (*text == '\\' && sscanf(text + 1, "%3o", &c) == 1) {
			*to++ = (char)c;
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = 0;
}

/* proc(5), mountinfo: ID PARENT DEVICE ROOT POINT OPTIONS [FIELDS] - TYPE SOURCE SUPEROPTIONS */
static bool mount_parse(char *line, const char *controller, char **root, char **point)
{
	char *save, *tail = strstr(line, " - "), *type, *options;

	if (!tail)
		return false;
	*tail = 0;
	type = strtok_r(tail + 3, " ", &save);
	if (!type || !strtok_r(NULL, " ", &save))
		return false;
	options = strtok_r(NULL, " \n", &save);
	if (strcmp(type, controller ? "cgroup" : "cgroup2") != 0 ||
		(controller && (!options || !list_has(options, controller, ","))))
		return false;
	for (int i = 0; i < 3; i++)
		if (!strtok_r(i ? NULL : line, " ", &save))
			return false;
	*root = strtok_r(NULL, " ", &save);
	*point = strtok_r(NULL, " ", &save);
	if (!*root || !*point)
		return false;
	unescape(*root);
	unescape(*point);
	return true;
}

static int open_dir(const char *path, bool unified)
{
	struct statfs fs;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (fstatfs(fd, &fs) == 0 &&
		(u64)fs.f_type == (unified ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC))
		return fd;
	close(fd);
	errno = ENOENT;
	return -1;
}

/* The own group's directory; *depth: how many parents are to be seen. -1: not to be seen. */
static int own_open(const char *controller, int *depth)
{
	char path[CGROUP_PATH_MAX], line[3 * CGROUP_PATH_MAX], full[2 * CGROUP_PATH_MAX];
	FILE *f;
	int fd = -1;

	if (!own_path(controller, path, sizeof(path)))
		return -1;
	f = fopen("/proc/self/mountinfo", "re");
	while (f && fd < 0 && fgets(line, sizeof(line), f)) {
		char *root, *point;
		size_t len;

		if (!mount_parse(line, controller, &root, &point))
			continue;
		len = strcmp(root, "/") ? strlen(root) : 0;
		if (strncmp(path, root, len) || (len && path[len] && path[len] != '/'))
			continue;
		snprintf(full, sizeof(full), "%s%s", point, path + len);
		fd = open_dir(full, !controller);
		*depth = 0;
		for (const char *p = path + len; *p; p++)
			*depth += *p == '/' && p[1];
	}
	if (f)
		fclose(f);
	return fd;
}

static unsigned controllers_listed(int dir, const char *file)
{
	char text[512];
	unsigned found = 0;

	if (cgroup_file_read(dir, file, text, sizeof(text)) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
		if (list_has(text, controllers[i].name, " \n"))
			found |= controllers[i].controller;
	return found;
}

/* Gives the groups below dir what it can of the wanted controllers; returns what they have. */
static unsigned controllers_enable(int dir, unsigned wanted)
{
	unsigned have = controllers_listed(dir, "cgroup.subtree_control");
	char text[32];

	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
		if (!(wanted & ~have & controllers[i].controller))
			continue;
		snprintf(text, sizeof(text), "+%s", controllers[i].name);
		cgroup_file_write(dir, "cgroup.subtree_control", text);
	}
	return controllers_listed(dir, "cgroup.subtree_control") & wanted;
}

/* Memory, if it is wanted, is what a group is made for. */
static bool enough(unsigned have, unsigned wanted)
{
	return wanted & CGROUP_MEMORY ? have & CGROUP_MEMORY : have & wanted;
}

static bool is_root(int dir)
{
	return faccessat(dir, "cgroup.events", F_OK, 0) < 0 && errno == ENOENT;
}

static bool is_alone(int dir)
{
	char text[64], own[32];

	snprintf(own, sizeof(own), "%d\n", (int)getpid());
	return cgroup_file_read(dir, "cgroup.procs", text, sizeof(text)) >= 0 && !strcmp(text, own);
}

/* Puts this process into a leaf, so that the group may have others beside it. */
static bool step_aside(int dir, unsigned wanted, struct cgroup_place *place)
{
	char name[CGROUP_NAME_MAX];

	if (!is_alone(dir) || !enough(controllers_listed(dir, "cgroup.controllers"), wanted))
		return false;
	place->leaf = cgroup_dir_make(dir, true, name);
	if (place->leaf < 0)
		return false;
	if (cgroup_file_write(place->leaf, "cgroup.procs", "0") == 0) {
		place->controllers = controllers_enable(dir, wanted);
		if (enough(place->controllers, wanted))
			return true;
		cgroup_file_write(dir, "cgroup.procs", "0");
	}
	close(place->leaf);
	place->leaf = -1;
	unlinkat(dir, name, AT_REMOVEDIR);
	return false;
}

/* Has the group a limit that a family outside of it would escape? */
static bool is_limited(int dir, u64 tasks_max)
{
	static const char *const unlimited[] = {"memory.max", "memory.high", "memory.swap.max",
											"cpu.max"};
	static const char *const empty[] = {"cpuset.cpus", "cpuset.mems", "io.max"};
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(unlimited); i++)
		if (cgroup_file_read(dir, unlimited[i], text, sizeof(text)) >= 0 &&
			strncmp(text, "max", 3) != 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(empty); i++)
		if (cgroup_file_read(dir, empty[i], text, sizeof(text)) >= 0 && text[0] && text[0] != '\n')
			return true;
	return cgroup_file_read(dir, "pids.max", text, sizeof(text)) >= 0 &&
		   strncmp(text, "max", 3) != 0 && strtoull(text, NULL, 10) < tasks_max;
}

static bool may_change(int dir)
{
	return faccessat(dir, ".", W_OK, AT_EACCESS) == 0 &&
		   faccessat(dir, "cgroup.procs", W_OK, AT_EACCESS) == 0;
}

static int climb(int dir, int depth, unsigned wanted, u64 tasks_max, struct cgroup_place *place,
				 struct error *err)
{
	for (; depth > 0; depth--) {
		int parent;

		if (is_limited(dir, tasks_max)) {
			close(dir);
			return error_set(err, 0, "the cgroup that unifork runs in has limits of its own, "
									 "which a cgroup beside it would leave");
		}
		parent = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(dir);
		if (parent < 0)
			return error_set(err, errno, "cannot open the parent of unifork's cgroup");
		dir = parent;
		place->controllers = controllers_listed(dir, "cgroup.subtree_control") & wanted;
		if (enough(place->controllers, wanted) && may_change(dir)) {
			place->dir = dir;
			return 0;
		}
	}
	close(dir);
	return error_set(err, 0, "no cgroup is delegated to this user (systemd-run --user --scope -p "
							 "Delegate=yes gives one)");
}

static int place_unified(unsigned wanted, u64 tasks_max, struct cgroup_place *place,
						 struct error *err)
{
	int depth, dir = own_open(NULL, &depth);

	if (dir < 0)
		return error_set(err, 0, "no cgroup file system with the controller %s is mounted",
						 wanted & CGROUP_MEMORY ? "memory" : "pids");
	place->unified = true;
	place->dir = dir;
	if (is_root(dir)) {
		place->controllers = controllers_enable(dir, wanted);
		if (enough(place->controllers, wanted) && may_change(dir))
			return 0;
		close(dir);
		return error_set(err, 0, "the cgroup file system does not give its root's groups the "
								 "controller %s", wanted & CGROUP_MEMORY ? "memory" : "pids");
	}
	if (step_aside(dir, wanted, place))
		return 0;
	return climb(dir, depth, wanted, tasks_max, place, err);
}

int cgroup_place_find(unsigned wanted, u64 tasks_max, struct cgroup_place *place, struct error *err)
{
	*place = (struct cgroup_place){.dir = -1, .leaf = -1};
	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
		int depth;

		if (!(wanted & controllers[i].controller))
			continue;
		place->dir = own_open(controllers[i].name, &depth);
		if (place->dir < 0)
			break; /* it belongs to the unified tree, or to none */
		place->controllers = controllers[i].controller;
		return 0;
	}
	return place_unified(wanted, tasks_max, place, err);
}
