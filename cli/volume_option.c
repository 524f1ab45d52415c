/* SPDX-License-Identifier: ISC */
/* --volume HOST:PATH[:OPTIONS] and --tmpfs PATH[:OPTIONS], checked before anything starts. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/kin.h"
#include "cli/options.h"

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

/* ro,Z and the like. z and Z ask for labels of SELinux, which nothing here needs. */
static int volume_options(char *text, const char *given, struct run_volume *v, struct error *err)
{
	for (char *option = strtok(text, ","); option; option = strtok(NULL, ",")) {
		if (!strcmp(option, "ro") || !strcmp(option, "rw")) {
			v->read_only = !strcmp(option, "ro");
		} else if (strcmp(option, "z") != 0 && strcmp(option, "Z") != 0) {
			bool upper = !strcasecmp(option, "ro") || !strcasecmp(option, "rw");

			return error_set(err, 0, "volume '%.200s': unknown option '%.40s'; %s", given, option,
							 upper ? "write it in small letters"
								   : "there are ro, rw, z and Z (HOST:PATH:OPTION,...)");
		}
	}
	return 0;
}

/* The last part of PATH[:OPTIONS] that is no path, cut off; "" if there is none. */
static char *options_cut(char *text)
{
	char *colon = strrchr(text, ':');

	if (!colon || colon[1] == '/')
		return text + strlen(text);
	*colon = 0;
	return colon + 1;
}

static int path_check(char *path, const char *what, const char *given, struct error *err)
{
	if (path[0] != '/')
		return error_set(err, 0, "%s '%.200s': '%.100s' is not absolute; it begins with /", what,
						 given, path);
	if (strlen(path) >= VOLUME_PATH_MAX || normalise(path) < 0)
		return error_set(err, 0,
						 "%s '%.200s': the path inside must be without .. and shorter than %d",
						 what, given, VOLUME_PATH_MAX);
	return 0;
}

/* HOST:PATH[:OPTIONS] in place. */
static int split(char *text, const char *given, struct run_volume *v, struct error *err)
{
	char *colon = strrchr(text, ':'), *options = text + strlen(text), *first = strchr(text, ':');

	if (colon && colon != first && colon[1] != '/')
		options = options_cut(text);
	colon = strrchr(text, ':');
	if (!colon || colon == text || !colon[1])
		return error_set(err, 0,
						 "volume '%.200s' is not HOST:PATH[:ro]; HOST is a directory or a file of "
						 "the host", given);
	*colon = 0;
	v->host = text;
	v->path = colon + 1;
	return path_check(colon + 1, "volume", given, err) < 0 ? -1
														   : volume_options(options, given, v, err);
}

static int check_host(struct run_volume *v, struct error *err)
{
	struct stat st;
	char *real = realpath(v->host, NULL);

	if (!real || stat(real, &st) < 0)
		return error_set(err, errno, "cannot share '%.200s' as a volume%s", v->host,
						 errno == ENOENT ? "; make it first" : "");
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return error_set(err, 0, "cannot share '%.200s' as a volume: %s", v->host,
						 S_ISSOCK(st.st_mode)
							 ? "it is a socket, and a family cannot talk to the host's programs"
							 : "it is neither a directory nor a regular file");
	if (S_ISDIR(st.st_mode) && access(real, R_OK | X_OK) < 0)
		return error_set(err, errno, "cannot share '%.200s' as a volume", v->host);
	v->is_file = S_ISREG(st.st_mode);
	v->host = real;
	return 0;
}

/* No volume or tmpfs may lie in another, and none where the kernel has files of its own. */
static int check_place(const struct run_options *o, const char *path, struct error *err)
{
	if (!path[0] || is_below(path, "/proc"))
		return error_set(err, 0, "a volume or tmpfs cannot be at '%.200s'; choose another path",
						 path[0] ? path : "/");
	for (unsigned i = 0; i < o->volume_count + o->tmpfs_count; i++) {
		const char *other = i < o->volume_count ? o->volumes[i].path
												: o->tmpfs[i - o->volume_count].path;
		if (!strcmp(other, path))
			return error_set(err, 0, "two volumes at '%.200s'; give each its own path", path);
		if (is_below(other, path) || is_below(path, other))
			return error_set(err, 0, "the volumes at '%.150s' and '%.150s' lie one in the other",
							 other, path);
	}
	return 0;
}

/* The list, with room for one more of that size; NULL: no memory, and it is as before. */
static void *list_grow(void *list, unsigned count, size_t size, struct error *err)
{
	void *grown = realloc(list, (count + 1) * size);

	if (!grown)
		(void)error_set(err, ENOMEM, "cannot keep the volumes");
	return grown;
}

int volume_add(struct run_options *o, const char *given, struct error *err)
{
	struct run_volume v = {0}, *list;
	char *text = strdup(given);

	if (!text)
		return error_set(err, ENOMEM, "cannot keep the volumes");
	if (o->volume_count == VOLUMES_MAX)
		return error_set(err, 0, "more than %d volumes", VOLUMES_MAX);
	if (split(text, given, &v, err) < 0 || check_host(&v, err) < 0 ||
		check_place(o, v.path, err) < 0)
		return -1;
	list = list_grow(o->volumes, o->volume_count, sizeof(*list), err);
	if (!list)
		return -1;
	list[o->volume_count++] = v;
	o->volumes = list;
	return 0;
}

/* ---- --tmpfs */

static int number(const char *text, int base, unsigned long most, unsigned *value)
{
	char *end;

	errno = 0;
	unsigned long n = isdigit((unsigned char)*text) ? strtoul(text, &end, base) : ULONG_MAX;
	*value = (unsigned)n;
	return n == ULONG_MAX || errno || *end || n > most ? -1 : 0;
}

/* What mount(8) knows for tmpfs. Every one is rw, nosuid and nodev; size=0 bounds nothing. */
static int tmpfs_option(const char *option, struct run_tmpfs *t)
{
	static const char *const same[] = {"rw",      "nosuid",  "nodev",      "exec",
									   "noatime", "relatime", "nodiratime"};

	if (!strncmp(option, "mode=", 5))
		return number(option + 5, 8, 07777, &t->mode);
	if (!strncmp(option, "uid=", 4))
		return number(option + 4, 10, 0xfffffffe, &t->uid);
	if (!strncmp(option, "gid=", 4))
		return number(option + 4, 10, 0xfffffffe, &t->gid);
	if (!strncmp(option, "size=", 5))
		return size_parse(option + 5, &t->size);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (!strcmp(option, same[i]))
			return 0;
	return -1;
}

int tmpfs_add(struct run_options *o, const char *given, struct error *err)
{
	struct run_tmpfs t = {.mode = 01777}, *list;
	char *text = strdup(given), *options = text ? options_cut(text) : NULL;

	if (!text)
		return error_set(err, ENOMEM, "cannot keep the volumes");
	if (o->tmpfs_count == START_TMPFS_MAX)
		return error_set(err, 0, "more than %d tmpfs", START_TMPFS_MAX);
	if (path_check(text, "tmpfs", given, err) < 0 || check_place(o, text, err) < 0)
		return -1;
	for (char *option = strtok(options, ","); option; option = strtok(NULL, ","))
		if (tmpfs_option(option, &t) < 0)
			return error_set(err, 0,
							 "tmpfs '%.150s': cannot use '%.60s'; there are mode=OCTAL, uid=N, "
							 "gid=N, size=SIZE, rw, exec, nosuid, nodev", given, option);
	t.path = text;
	list = list_grow(o->tmpfs, o->tmpfs_count, sizeof(*list), err);
	if (!list)
		return -1;
	list[o->tmpfs_count++] = t;
	o->tmpfs = list;
	return 0;
}
