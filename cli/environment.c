/* SPDX-License-Identifier: ISC */
/* The environment of the first program: --env and --env-file. The last setting of a name holds. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"

/* Takes text over. */
static int keep(struct environment *env, char *text, struct error *err)
{
	size_t name_len = strcspn(text, "=");

	for (int i = 0; i < env->count; i++) {
		if (!strncmp(env->list[i], text, name_len + 1)) {
			free(env->list[i]);
			env->list[i] = text;
			return 0;
		}
	}
	char **list = realloc(env->list, (size_t)(env->count + 2) * sizeof(*list));
	if (!list) {
		free(text);
		return error_set(err, ENOMEM, "cannot keep the environment");
	}
	list[env->count++] = text;
	list[env->count] = NULL;
	env->list = list;
	return 0;
}

int environment_add(struct environment *env, const char *setting, struct error *err)
{
	size_t name_len = strcspn(setting, "=");
	char *text;

	if (name_len == 0)
		return error_set(err, 0, "-e '%.200s' has no name; write -e NAME=VALUE", setting);
	if (setting[name_len] == '=') {
		text = strdup(setting);
	} else {
		const char *value = getenv(setting);
		if (!value)
			return 0; /* not set here: not set there */
		if (asprintf(&text, "%s=%s", setting, value) < 0)
			text = NULL;
	}
	return text ? keep(env, text, err) : error_set(err, ENOMEM, "cannot keep the environment");
}

const char *environment_get(const struct environment *env, const char *name)
{
	size_t n = strlen(name);

	for (int i = 0; i < env->count; i++)
		if (!strncmp(env->list[i], name, n) && env->list[i][n] == '=')
			return env->list[i] + n + 1;
	return NULL;
}

/* One line as Docker reads it: NAME=VALUE as it stands, NAME for the caller's, # a comment. */
static int line_add(struct environment *env, char *line, const char *path, unsigned number,
					struct error *err)
{
	size_t name_len;

	line[strcspn(line, "\r\n")] = 0;
	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return 0;
	name_len = strcspn(line, "=");
	if (name_len == 0)
		return error_set(err, 0, "'%.200s', line %u: no name before the =", path, number);
	if (strcspn(line, " \t") < name_len)
		return error_set(err, 0, "'%.200s', line %u: there is a blank in the name '%.*s'", path,
						 number, (int)(name_len < 60 ? name_len : 60), line);
	return environment_add(env, line, err);
}

int environment_file(struct environment *env, const char *path, struct error *err)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t n = 0;
	int r = 0;

	if (!f)
		return error_set(err, errno, "cannot read the environment from '%.200s'", path);
	for (unsigned number = 1; r == 0; number++) {
		errno = 0;
		n = getline(&line, &room, f);
		if (n < 0)
			break;
		if (strlen(line) != (size_t)n)
			r = error_set(err, 0, "'%.200s', line %u: not text", path, number);
		else
			r = line_add(env, line, path, number, err);
	}
	if (r == 0 && ferror(f))
		r = error_set(err, errno, "cannot read the environment from '%.200s'", path);
	free(line);
	fclose(f);
	return r;
}
