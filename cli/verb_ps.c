/* SPDX-License-Identifier: ISC */
/*
 * unifork ps: the families with names. It reads files and asks for locks, and talks to nobody: a
 * family that hangs is listed like any other.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/verb_options.h"

#define COMMAND_SHOWN 40

struct row {
	char name[FAMILY_NAME_MAX + 1];
	struct family_record record;
};
struct rows {
	struct row *list;
	size_t count;
};
/* Which families. */
struct choice {
	bool all;
	json_t *label, *value; /* as labels are kept; NULL: any */
};

/* The newest first. */
static int row_compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->record.created != y->record.created)
		return x->record.created < y->record.created ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* --filter label=KEY[=VALUE] */
static int filter_parse(const char *text, struct choice *c, struct error *err)
{
	static const char what[] = "label=";
	size_t len = strncmp(text, what, sizeof(what) - 1) ? 0 : strcspn(text + sizeof(what) - 1, "=");
	char *key = len ? strndup(text + sizeof(what) - 1, len) : NULL;

	if (!key)
		return error_set(err, 0, "--filter '%.100s': write label=KEY or label=KEY=VALUE", text);
	text += sizeof(what) - 1 + len;
	c->label = text_json(key);
	c->value = *text ? text_json(text + 1) : NULL;
	free(key);
	return 0;
}

static bool chosen(const struct choice *c, const struct family_record *r)
{
	const json_t *labels = json_object_get(r->start, "labels"), *value;

	if (!c->all && (r->state == FAMILY_EXITED || r->state == FAMILY_DEAD))
		return false;
	if (!c->label)
		return true;
	value = json_object_get(labels, json_string_value(c->label));
	return value && (!c->value || json_equal(value, c->value));
}

static int row_add(struct rows *rows, const struct family_dir *dir, const struct choice *c,
				   struct error *err)
{
	struct family_record record;
	struct row *list;

	family_record_read(dir, &record);
	if (!chosen(c, &record)) {
		family_record_free(&record);
		return 0;
	}
	list = realloc(rows->list, (rows->count + 1) * sizeof(*list));
	if (!list)
		return error_set(err, ENOMEM, "cannot list the families");
	rows->list = list;
	snprintf(list[rows->count].name, sizeof(list->name), "%s", dir->name);
	list[rows->count++].record = record;
	return 0;
}

static int rows_collect(int families_fd, const struct choice *c, struct rows *rows,
						struct error *err)
{
	int fd = families_fd < 0 ? -1 : openat(families_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct error unused;
	int r = 0;

	if (families_fd < 0)
		return 0;
	if (!entries)
		return error_set(err, errno, "cannot read the state directory");
	while (r == 0 && (entry = readdir(entries))) {
		struct family_dir dir;

		if (family_open(families_fd, entry->d_name, &dir, &unused) < 0)
			continue; /* somebody else's, or going at this moment */
		r = row_add(rows, &dir, c, err);
		family_close(&dir);
	}
	closedir(entries);
	if (rows->count)
		qsort(rows->list, rows->count, sizeof(*rows->list), row_compare);
	return r;
}

static void status_text(const struct family_record *r, char *text, size_t size)
{
	char since[40];
	time_t now = time(NULL), from = r->ended ? r->ended : r->created;

	duration_text(now > from ? now - from : 0, since, sizeof(since));
	switch (r->state) {
	case FAMILY_STARTING: snprintf(text, size, "Starting"); break;
	case FAMILY_RUNNING: snprintf(text, size, "Up %s", since); break;
	case FAMILY_PAUSED: snprintf(text, size, "Up %s (Paused)", since); break;
	case FAMILY_EXITED:
		snprintf(text, size, "Exited (%d) %s ago", r->exit_status, since);
		break;
	case FAMILY_DEAD: snprintf(text, size, "Dead"); break;
	}
}

/* The words are escaped in the file; root may read somebody else's, so they are again. */
static void command_text(const struct family_record *r, char *text, size_t size)
{
	const json_t *words = json_object_get(r->start, "command");
	char word[COMMAND_SHOWN + 8], whole[COMMAND_SHOWN * 3];
	size_t at = 0, i;
	const json_t *value;

	whole[0] = 0;
	json_array_foreach(words, i, value) {
		snprintf(word, sizeof(word), "%s", json_is_string(value) ? json_string_value(value) : "?");
		text_clean(word, strlen(word));
		at += (size_t)snprintf(whole + at, sizeof(whole) - at, "%s%s", i ? " " : "", word);
		if (at > COMMAND_SHOWN)
			break;
	}
	snprintf(text, size, at > COMMAND_SHOWN ? "%.*s..." : "%.*s",
			 at > COMMAND_SHOWN ? COMMAND_SHOWN - 3 : COMMAND_SHOWN, whole);
}

static void table_print(const struct rows *rows)
{
	int width = 4;

	for (size_t i = 0; i < rows->count; i++)
		width = MAX(width, (int)strlen(rows->list[i].name));
	printf("%-*s  %-*s  %-20s  %s\n", width, "NAME", COMMAND_SHOWN, "COMMAND", "CREATED", "STATUS");
	for (size_t i = 0; i < rows->count; i++) {
		const struct family_record *r = &rows->list[i].record;
		char command[COMMAND_SHOWN + 1], status[80], created[40] = "?";

		command_text(r, command, sizeof(command));
		status_text(r, status, sizeof(status));
		if (r->created)
			time_text(r->created, created, sizeof(created));
		printf("%-*s  %-*s  %-20s  %s\n", width, rows->list[i].name, COMMAND_SHOWN, command,
			   created, status);
	}
}

static json_t *row_json(const struct row *row)
{
	const struct family_record *r = &row->record;
	json_t *o = json_pack("{s:s, s:s, s:b}", "name", row->name, "state",
						  family_state_names[r->state], "detached", r->detached);
	json_t *command = json_object_get(r->start, "command");
	json_t *labels = json_object_get(r->start, "labels");
	char when[40];

	if (r->created) {
		time_text(r->created, when, sizeof(when));
		json_object_set_new(o, "created", json_string(when));
	}
	if (r->ended) {
		time_text(r->ended, when, sizeof(when));
		json_object_set_new(o, "ended", json_string(when));
	}
	if (r->state == FAMILY_EXITED || r->state == FAMILY_DEAD)
		json_object_set_new(o, "exit_status", json_integer(r->exit_status));
	json_object_set_new(o, "labels", labels ? json_incref(labels) : json_object());
	json_object_set_new(o, "command", command ? json_incref(command) : json_array());
	return o;
}

static int json_print(const struct rows *rows, struct error *err)
{
	json_t *list = json_array();
	int r = 0;

	for (size_t i = 0; i < rows->count && r == 0; i++)
		r = json_array_append_new(list, row_json(&rows->list[i]));
	if (r == 0)
		r = json_dumpf(list, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(list);
	return r < 0 ? error_set(err, 0, "cannot write the list of families") : 0;
}

void help_ps(void)
{
	printf("Usage: unifork ps [OPTIONS]\n\n"
		   "Lists the families that have a name: Up, Exited with a status, or Dead if its own\n"
		   "processes on the host were killed. It asks nobody: nobody can keep it waiting.\n\n"
		   "  -a, --all            those that have ended, too\n"
		   "  -q, --quiet          names only\n"
		   "      --filter label=KEY[=VALUE]  those with that label only\n"
		   "      --format FORMAT  table (default) or json\n"
		   HELP_STATE_DIR);
}

int verb_ps(int argc, char **argv, struct error *err)
{
	const char *state_dir = NULL, *format = "table", *filter = NULL;
	struct choice choice = {0};
	bool quiet = false;
	const struct verb_option table[] = {{"all", 'a', .flag = &choice.all},
										{"quiet", 'q', .flag = &quiet},
										{"filter", 0, .text = &filter},
										{"format", 0, .text = &format},
										OPTION_STATE_DIR(state_dir),
										{0}};
	struct rows rows = {0};
	int first, families_fd;

	if (verb_options(argc, argv, table, false, &first, err) < 0)
		return -EXIT_USAGE;
	if (first < argc) {
		error_set(err, 0, "ps takes no argument '%.100s'; see 'unifork ps --help'", argv[first]);
		return -EXIT_USAGE;
	}
	if (strcmp(format, "table") != 0 && strcmp(format, "json") != 0) {
		error_set(err, 0, "--format '%.60s': choose table or json", format);
		return -EXIT_USAGE;
	}
	if (filter && filter_parse(filter, &choice, err) < 0)
		return -EXIT_USAGE;
	if (families_open(state_dir, false, &families_fd, err) < 0 ||
		rows_collect(families_fd, &choice, &rows, err) < 0)
		return -EXIT_SYSTEM;
	for (size_t i = 0; quiet && i < rows.count; i++)
		puts(rows.list[i].name);
	if (!quiet && !strcmp(format, "json") && json_print(&rows, err) < 0)
		return -EXIT_SYSTEM;
	if (!quiet && strcmp(format, "json") != 0)
		table_print(&rows);
	if (fflush(stdout) == 0)
		return 0;
	error_set(err, errno, "cannot write the list of families");
	return -EXIT_SYSTEM;
}
