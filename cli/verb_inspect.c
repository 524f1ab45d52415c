/* SPDX-License-Identifier: ISC */
/* unifork inspect: all that is known of families, as JSON. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/family_members.h"
#include "cli/verb_options.h"
#include "monitor/families/request.h"

/* What only the living family knows. */
static int live_ask(const struct family_dir *dir, json_t *into, struct error *err)
{
	int fd = control_connect(dir, err), r = -1;
	json_t *status = fd < 0 ? NULL : control_ask(fd, REQUEST_status, NULL, err);

	if (status) {
		json_object_del(status, "version");
		json_object_update(into, status);
		json_decref(status);
		r = members_ask(fd, into, err);
	}
	if (fd >= 0)
		close(fd);
	return r;
}

static void time_put(json_t *into, const char *key, time_t when)
{
	char text[40];

	time_text(when, text, sizeof(text));
	json_object_set_new(into, key, when ? json_string(text) : json_null());
}

static int family_inspect(struct family_act *a, struct family_dir *dir, struct error *err)
{
	struct family_record record;
	json_t *o = json_object();
	int r = 0;

	family_record_read(dir, &record);
	if (record.start)
		json_object_update(o, record.start);
	if (record.end)
		json_object_update(o, record.end);
	json_object_del(o, "version");
	json_object_set_new(o, "name", json_string(dir->name));
	json_object_set_new(o, "state", json_string(family_state_names[record.state]));
	time_put(o, "created", record.created);
	time_put(o, "ended", record.ended);
	if (record.state == FAMILY_DEAD || record.state == FAMILY_EXITED)
		json_object_set_new(o, "exit_status", json_integer(record.exit_status));
	if (record.state == FAMILY_RUNNING || record.state == FAMILY_PAUSED)
		r = live_ask(dir, o, err);
	if (r < 0 && !family_lives(dir)) { /* it ended meanwhile */
		json_decref(o);
		family_record_free(&record);
		return family_inspect(a, dir, err);
	}
	/* What hangs is shown as far as it is known. */
	json_array_append_new(a->with, o);
	family_record_free(&record);
	return r;
}

void help_inspect(void)
{
	printf("Usage: unifork inspect [OPTIONS] NAME...\n\n"
		   "Prints what is known of families as a JSON array: options, state, times, exit status,\n"
		   "and of a running one the ids of its front and supervisor on the host, its backend,\n"
		   "and its members with pid, ppid, name, id on the host, processor time and private\n"
		   "memory. Names are the members' own choice: what is not printable ASCII is shown as\n"
		   "\\xNN.\n\n"
		   "      --format FORMAT  json (default and only one)\n"
		   HELP_STATE_DIR);
}

int verb_inspect(int argc, char **argv, struct error *err)
{
	const char *state_dir = NULL, *format = "json";
	const struct verb_option table[] = {
		{"format", 0, .text = &format}, OPTION_STATE_DIR(state_dir), {0}};
	json_t *list = json_array();
	int first, status;

	if (verb_options(argc, argv, table, false, &first, err) < 0)
		return -EXIT_USAGE;
	if (strcmp(format, "json") != 0) {
		error_set(err, 0, "--format '%.60s': there is json only", format);
		return -EXIT_USAGE;
	}
	status = each_family(argc - first, argv + first, state_dir, list, family_inspect, err);
	if (status < 0)
		return status;
	if (json_dumpf(list, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) < 0 || putchar('\n') < 0 ||
		fflush(stdout) < 0) {
		error_set(err, errno, "cannot write to standard output");
		return -EXIT_SYSTEM;
	}
	json_decref(list);
	return status;
}
