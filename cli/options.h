/* SPDX-License-Identifier: ISC */
/*
 * What the options of `unifork run` mean: each function takes one value. 0, or -1 and err says what
 * is wrong with it.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "monitor/core/error.h"
#include "monitor/supervisor/supervisor.h"

/* environment.c: NAME=VALUE, ended by NULL; all of it allocated. */
struct environment {
	char **list;
	int count;
};
int environment_add(struct environment *env, const char *setting, struct error *err) MUST_CHECK;
int environment_file(struct environment *env, const char *path, struct error *err) MUST_CHECK;
const char *environment_get(const struct environment *env, const char *name);

/* amounts.c */
int memory_parse(struct run_options *o, const char *text, struct error *err) MUST_CHECK;
int pids_parse(struct run_options *o, const char *text, struct error *err) MUST_CHECK;
int size_parse(const char *text, unsigned long long *bytes); /* -1: it is no size */
int ulimit_parse(struct run_options *o, const char *text, struct error *err) MUST_CHECK;
/*
 * Limits of whoever starts unifork that its own processes cannot live with: raised as far as they
 * may be. What they forbid is forbidden inside instead.
 */
int limits_leave(struct run_options *o, struct error *err) MUST_CHECK;
int stop_timeout_parse(struct run_options *o, const char *text, struct error *err) MUST_CHECK;

/* volume_option.c: --volume and --tmpfs */
int volume_add(struct run_options *o, const char *given, struct error *err) MUST_CHECK;
int tmpfs_add(struct run_options *o, const char *given, struct error *err) MUST_CHECK;

/* net_option.c: --net and --publish */
int net_parse(struct run_options *o, const char *text, struct error *err) MUST_CHECK;
int publish_add(struct run_options *o, const char *given, struct error *err) MUST_CHECK;

/*
 * user.c: ids, groups and home of the first program, from --user (NULL: not given) and the root
 * directory's passwd and group. *home is where HOME points unless the environment says otherwise.
 */
int user_find(struct run_options *o, const char *given, const char **home,
			  struct error *err) MUST_CHECK;

#endif
