/* SPDX-License-Identifier: ISC */
/* unifork stats and top: what families and their members cost at this moment. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/family_members.h"
#include "cli/verb_options.h"

#define SAMPLE_MS 1000
#define FAMILIES_MAX 1024 /* of one call */
#define TREE_DEPTH_MAX 40 /* ids are the family's word, and may go in a circle */

struct sample {
	char name[FAMILY_NAME_MAX + 1];
	bool there, before; /* now; when the sample before was taken */
	double then_s, cpu_then_s, cpu_percent, cpu_s;
	unsigned long long memory_bytes, limit_bytes;
	size_t members;
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double number_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) && json_integer_value(value) > 0
			   ? (double)json_integer_value(value) : 0;
}

/* What ended members have used is in the sum, so that it never falls. */
static void sample_take(int families_fd, struct sample *s)
{
	struct family_dir dir;
	struct family_record record;
	struct error unused;
	json_t *all = json_object(), *member;
	size_t i;

	s->before = s->there;
	s->there = false;
	if (family_open(families_fd, s->name, &dir, &unused) == 0) {
		family_record_read(&dir, &record);
		s->limit_bytes = (unsigned long long)number_of(json_object_get(record.start, "options"),
													   "memory_bytes");
		s->there = family_lives(&dir) && family_members(&dir, all, &unused) == 0;
		family_record_free(&record);
	}
	family_close(&dir);
	if (s->there) {
		double now = now_s(), cpu = number_of(all, "ended_cpu_us");
		json_t *list = json_object_get(all, "members");

		s->memory_bytes = (unsigned long long)number_of(all, "shared_bytes");
		json_array_foreach(list, i, member) {
			cpu += number_of(member, "cpu_us");
			s->memory_bytes += (unsigned long long)number_of(member, "memory_bytes");
		}
		s->members = json_array_size(list);
		s->cpu_s = cpu / 1e6;
		if (s->before && now > s->then_s && s->cpu_s > s->cpu_then_s)
			s->cpu_percent = 100 * (s->cpu_s - s->cpu_then_s) / (now - s->then_s);
		else
			s->cpu_percent = 0;
		s->then_s = now;
		s->cpu_then_s = s->cpu_s;
	}
	json_decref(all);
}

static const char *size_text(unsigned long long bytes, char *text, size_t size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(text, size, unit ? "%.1f%s" : "%.0f%s", value, units[unit]);
	return text;
}

static void samples_table(const struct sample *list, size_t count, bool clear)
{
	char used[32], limit[32];

	if (clear)
		fputs("\033[H\033[J", stdout);
	printf("%-24s %8s %10s %24s %6s\n", "NAME", "CPU %", "CPU TIME", "MEM USAGE / LIMIT", "PIDS");
	for (size_t i = 0; i < count; i++) {
		const struct sample *s = &list[i];
		char memory[72];

		if (!s->there)
			continue;
		snprintf(memory, sizeof(memory), "%s / %s", size_text(s->memory_bytes, used, sizeof(used)),
				 s->limit_bytes ? size_text(s->limit_bytes, limit, sizeof(limit)) : "-");
		printf("%-24s %7.1f%% %9.2fs %24s %6zu\n", s->name, s->cpu_percent, s->cpu_s, memory,
			   s->members);
	}
}

static void samples_json(const struct sample *list, size_t count)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < count; i++)
		if (list[i].there)
			json_array_append_new(rows, json_pack(
				"{s:s, s:f, s:f, s:I, s:I, s:I}", "name", list[i].name, "cpu_percent",
				list[i].cpu_percent, "cpu_seconds", list[i].cpu_s, "memory_bytes",
				(json_int_t)list[i].memory_bytes, "memory_limit_bytes",
				(json_int_t)list[i].limit_bytes, "pids", (json_int_t)list[i].members));
	json_dumpf(rows, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(rows);
}

static void sleep_sample(void)
{
	nanosleep(&(struct timespec){SAMPLE_MS / 1000, SAMPLE_MS % 1000 * 1000000}, NULL);
}

static int stats_run(int families_fd, struct sample *list, size_t count, bool stream, bool json,
					 struct error *err)
{
	bool clear = stream && !json && isatty(STDOUT_FILENO), any = true;

	for (size_t i = 0; i < count; i++)
		sample_take(families_fd, &list[i]);
	while (any) {
		sleep_sample();
		any = false;
		for (size_t i = 0; i < count; i++) {
			sample_take(families_fd, &list[i]);
			any |= list[i].there;
		}
		if (json)
			samples_json(list, count);
		else
			samples_table(list, count, clear);
		if (fflush(stdout) < 0) {
			error_set(err, errno, "cannot write to standard output");
			return -EXIT_SYSTEM;
		}
		if (!stream)
			break;
	}
	return 0;
}

static int name_add(struct family_act *a, struct family_dir *dir, struct error *err)
{
	struct { struct sample *list; size_t count; } *all = a->with;

	if (!family_lives(dir))
		return error_set(err, 0, "the family '%s' is not running", dir->name);
	if (all->count == FAMILIES_MAX)
		return error_set(err, 0, "more than %d families", FAMILIES_MAX);
	snprintf(all->list[all->count++].name, sizeof(all->list->name), "%s", dir->name);
	return 0;
}

void help_stats(void)
{
	printf("Usage: unifork stats [OPTIONS] NAME...\n\n"
		   "Shows each second what families cost: processor time (100%% is one processor),\n"
		   "memory (private to members, and what they share), and their processes; until they\n"
		   "have ended.\n\n"
		   "      --no-stream      once only\n"
		   "      --format FORMAT  table (default) or json\n"
		   HELP_STATE_DIR);
}

int verb_stats(int argc, char **argv, struct error *err)
{
	const char *state_dir = NULL, *format = "table";
	bool once = false;
	const struct verb_option table[] = {{"no-stream", 0, .flag = &once},
										{"format", 0, .text = &format},
										OPTION_STATE_DIR(state_dir),
										{0}};
	struct { struct sample *list; size_t count; } all = {
		calloc(FAMILIES_MAX, sizeof(struct sample)), 0};
	int first, status, families_fd;

	if (verb_options(argc, argv, table, false, &first, err) < 0)
		return -EXIT_USAGE;
	if (strcmp(format, "table") != 0 && strcmp(format, "json") != 0) {
		error_set(err, 0, "--format '%.60s': choose table or json", format);
		return -EXIT_USAGE;
	}
	if (!all.list) {
		error_set(err, ENOMEM, "cannot look at families");
		return -EXIT_SYSTEM;
	}
	status = each_family(argc - first, argv + first, state_dir, &all, name_add, err);
	if (status < 0 || !all.count)
		return status;
	if (families_open(state_dir, false, &families_fd, err) < 0)
		return -EXIT_SYSTEM;
	int r = stats_run(families_fd, all.list, all.count, !once, !strcmp(format, "json"), err);

	return r < 0 ? r : status;
}

/* ---- top */

static void member_print(const json_t *m, int depth)
{
	char memory[32], name[80];
	const char *text = json_string_value(json_object_get(m, "name"));
	const char *state = json_string_value(json_object_get(m, "state"));

	snprintf(name, sizeof(name), "%s", text ? text : "?");
	text_clean(name, strlen(name)); /* escaped by the family's front, which root need not believe */
	printf("%7.0f %7.0f %c %9.0f %10.2fs %10s  %*s%s\n", number_of(m, "pid"), number_of(m, "ppid"),
		   state && *state >= 'A' && *state <= 'Z' ? *state : '?', number_of(m, "host_pid"),
		   number_of(m, "cpu_us") / 1e6,
		   size_text((unsigned long long)number_of(m, "memory_bytes"), memory, sizeof(memory)),
		   2 * depth, "", name);
}

/* Each once, its children behind it. shown: one for each of the list. */
static void tree_print(const json_t *list, bool *shown, double parent, int depth)
{
	const json_t *m;
	size_t i;

	json_array_foreach((json_t *)list, i, m) {
		if (shown[i] || number_of(m, "ppid") != parent || depth > TREE_DEPTH_MAX)
			continue;
		shown[i] = true;
		member_print(m, depth);
		tree_print(list, shown, number_of(m, "pid"), depth + 1);
	}
}

static int family_top(struct family_act *a, struct family_dir *dir, struct error *err)
{
	json_t *all = json_object(), *list, *m;
	bool *shown;
	size_t i;
	int r = -1;

	if (!family_lives(dir))
		error_set(err, 0, "the family '%s' is not running", dir->name);
	else
		r = family_members(dir, all, err);
	list = json_object_get(all, "members");
	shown = r == 0 ? calloc(json_array_size(list) + 1, 1) : NULL;
	if (shown) {
		printf("%7s %7s S %9s %11s %10s  %s\n", "PID", "PPID", "HOST PID", "CPU", "MEMORY", "NAME");
		tree_print(list, shown, 0, 0);
		json_array_foreach(list, i, m) /* whose parent has gone meanwhile */
			if (!shown[i]) {
				shown[i] = true;
				member_print(m, 0);
				tree_print(list, shown, number_of(m, "pid"), 1);
			}
	}
	free(shown);
	json_decref(all);
	return r;
}

void help_top(void)
{
	printf("Usage: unifork top [OPTIONS] NAME\n\n"
		   "Prints the processes of a running family as a tree: ids inside; of the monitor on the\n"
		   "host its state (as ps(1) has it), id, processor time and private memory.\n\n"
		   HELP_STATE_DIR);
}

int verb_top(int argc, char **argv, struct error *err)
{
	const char *state_dir = NULL;
	const struct verb_option table[] = {OPTION_STATE_DIR(state_dir), {0}};
	int first;

	if (verb_options(argc, argv, table, false, &first, err) < 0)
		return -EXIT_USAGE;
	return each_family(argc - first, argv + first, state_dir, NULL, family_top, err);
}
