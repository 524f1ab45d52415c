/* SPDX-License-Identifier: ISC */
/* The argument of --volume: HOSTDIR:DIR[:ro], checked before anything starts. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "abi/kin.h"
#include "cli/cli.h"
#include "monitor/supervisor/supervisor.h"

/* "//a/./b/" becomes "/a/b". -1: there is a "..". path is at least as long. */
static int normalise(char *path)
{
	char *out = path, *in = path;

	while (*in) {
		size_t slashes = strspn(in, "/"), n = strcspn(in + slashes, "/");
		char *name = in + slashes;
		in = name + n;
		if (n == 2 && !memcmp(name, "..", 2))
			return -1;
		if (n == 0 || (n == 1 && *name == '.'))
			continue;
		*out++ = '/';
		memmove(out, name, n);
		out += n;
	}
	*out = 0;
	return 0;
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (path[n] == '/' || !path[n]);
}

/* HOST:DIR[:ro] in place. */
static int split(char *text, const char *given, struct run_volume *v, struct error *err)
{
	char *colon = strrchr(text, ':');

	if (colon && (!strcmp(colon, ":ro") || !strcmp(colon, ":rw"))) {
		v->read_only = !strcmp(colon, ":ro");
		*colon = 0;
		colon = strrchr(text, ':');
	}
	if (!colon || colon == text)
		return error_set(err, 0, "volume '%.200s' is not HOSTDIR:DIR[:ro]", given);
	*colon = 0;
	v->path = colon + 1;
	if (v->path[0] != '/')
		return error_set(err, 0, "volume '%.200s': '%.100s' is not absolute; DIR begins with /",
						 given, v->path);
	if (strlen(v->path) >= VOLUME_PATH_MAX || normalise(colon + 1) < 0)
		return error_set(err, 0, "volume '%.200s': DIR must be without .. and shorter than %d",
						 given, VOLUME_PATH_MAX);
	v->host = text;
	return 0;
}

static int check_host(struct run_volume *v, struct error *err)
{
	struct stat st;
	char *real = realpath(v->host, NULL);

	if (!real || stat(real, &st) < 0)
		return error_set(err, errno, "cannot share '%.200s' as a volume; make the directory first",
						 v->host);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, 0, "cannot share '%.200s' as a volume: it is not a directory",
						 v->host);
	v->host = real;
	return 0;
}

static int check_path(const struct run_options *o, const struct run_volume *v, struct error *err)
{
	if (!v->path[0] || is_below(v->path, "/proc"))
		return error_set(err, 0, "a volume cannot be at '%.200s'; choose another DIR",
						 v->path[0] ? v->path : "/");
	for (unsigned i = 0; i < o->volume_count; i++) {
		const char *other = o->volumes[i].path;
		if (!strcmp(other, v->path))
			return error_set(err, 0, "two volumes at '%.200s'; give each its own DIR", v->path);
		if (is_below(other, v->path) || is_below(v->path, other))
			return error_set(err, 0, "the volumes at '%.150s' and '%.150s' lie one in the other",
							 other, v->path);
	}
	return 0;
}

int volume_add(struct run_options *o, const char *given, struct error *err)
{
	struct run_volume v = {0}, *list;
	char *text = strdup(given);

	if (o->volume_count == VOLUMES_MAX) {
		free(text);
		return error_set(err, 0, "more than %d volumes", VOLUMES_MAX);
	}
	if (!text)
		return error_set(err, ENOMEM, "cannot keep the volumes");
	if (split(text, given, &v, err) < 0 || check_host(&v, err) < 0 || check_path(o, &v, err) < 0)
		return -1;
	list = realloc(o->volumes, (o->volume_count + 1) * sizeof(*list));
	if (!list)
		return error_set(err, ENOMEM, "cannot keep the volumes");
	list[o->volume_count++] = v;
	o->volumes = list;
	return 0;
}
