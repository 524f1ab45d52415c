/* SPDX-License-Identifier: ISC */
/* unifork events: what happens in a family, from now to its end. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/verb_options.h"
#include "monitor/families/request.h"

/* The front's word, and what it says of names the family's: shown as printable ASCII only. */
static void text_print(const json_t *event, const char *key, const char *before)
{
	const char *text = json_string_value(json_object_get(event, key));
	char shown[200];

	if (!text)
		return;
	snprintf(shown, sizeof(shown), "%s", text);
	text_clean(shown, strlen(shown));
	printf("%s%s", before, shown);
}

static void number_print(const json_t *event, const char *key)
{
	const json_t *value = json_object_get(event, key);

	if (json_is_integer(value))
		printf(" %s=%lld", key, (long long)json_integer_value(value));
}

static void event_print(const json_t *event)
{
	text_print(event, "time", "");
	text_print(event, "event", " ");
	number_print(event, "pid");
	number_print(event, "ppid");
	number_print(event, "status");
	text_print(event, "name", " name=");
	putchar('\n');
}

static void packet_print(const json_t *packet, bool json)
{
	long long lost = json_integer_value(json_object_get(packet, "lost"));
	json_t *event;
	size_t i;

	if (lost)
		fprintf(stderr, "unifork: %lld events were lost\n", lost);
	json_array_foreach(json_object_get(packet, "events"), i, event) {
		if (json) {
			json_dumpf(event, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
			putchar('\n');
		} else {
			event_print(event);
		}
	}
}

static int family_events(struct family_act *a, struct family_dir *dir, struct error *err)
{
	int fd = family_lives(dir) ? control_connect(dir, err) : -1;
	struct pollfd readable = {fd, POLLIN, 0};
	json_t *packet = fd < 0 ? NULL : control_ask(fd, REQUEST_events, NULL, err);

	if (fd < 0 && !family_lives(dir))
		return error_set(err, 0, "the family '%s' is not running", dir->name);
	while (packet) {
		json_decref(packet);
		if (fflush(stdout) < 0)
			return error_set(err, errno, "cannot write to standard output");
		while (poll(&readable, 1, -1) < 0 && errno == EINTR)
			;
		packet = control_receive(fd, err);
		if (packet)
			packet_print(packet, *(const bool *)a->with);
	}
	if (fd >= 0)
		close(fd);
	return err->code == ECONNRESET ? 0 : -1; /* it has ended */
}

void help_events(void)
{
	printf("Usage: unifork events [OPTIONS] NAME\n\n"
		   "Prints what happens in a running family until it ends: fork, exec and exit of its\n"
		   "processes, oom when one is killed for its memory, pause, unpause, start (again) and\n"
		   "end. Names are the family's own choice.\n\n"
		   "      --format FORMAT  text (default), or json: one object in a line\n"
		   HELP_STATE_DIR);
}

int verb_events(int argc, char **argv, struct error *err)
{
	const char *state_dir = NULL, *format = "text";
	const struct verb_option table[] = {
		{"format", 0, .text = &format}, OPTION_STATE_DIR(state_dir), {0}};
	bool json;
	int first;

	if (verb_options(argc, argv, table, false, &first, err) < 0)
		return -EXIT_USAGE;
	json = !strcmp(format, "json");
	if (!json && strcmp(format, "text") != 0) {
		error_set(err, 0, "--format '%.60s': choose text or json", format);
		return -EXIT_USAGE;
	}
	if (argc - first != 1) {
		error_set(err, 0, "events takes one family; see 'unifork events --help'");
		return -EXIT_USAGE;
	}
	return each_family(1, argv + first, state_dir, &json, family_events, err);
}
