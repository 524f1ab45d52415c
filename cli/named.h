/* SPDX-License-Identifier: ISC */
/* `unifork run` of a family with a name: --name, -d, --rm, --state-dir, --log-size. */
#ifndef CLI_NAMED_H
#define CLI_NAMED_H

#include <stdbool.h>

#include "monitor/core/error.h"
#include "monitor/supervisor/supervisor.h"

struct naming {
	const char *name, *state_dir;
	bool detach, remove, restart;
	unsigned restarts_max;
	unsigned long long log_bytes;
	struct json_t *labels; /* an object; NULL: none */
};

/* log_size_parse: of --log-size */
int log_size_parse(struct naming *n, const char *text, struct error *err) MUST_CHECK;
int restart_parse(struct naming *n, const char *text, struct error *err) MUST_CHECK;
int label_add(struct naming *n, const char *text, struct error *err) MUST_CHECK; /* --label */
/* Before anything is made: does it fit together? */
int naming_check(const struct naming *n, struct error *err) MUST_CHECK;
/* Runs the family to its end, or with -d to its start. Returns as a verb. */
int named_run(const struct naming *n, struct run_options *o, struct error *err);

#endif
