/* SPDX-License-Identifier: ISC */
/* unifork port: what `run --publish` has published. */
#include <stdio.h>
#include <string.h>

#include "cli/verb_options.h"

struct port_choice {
	long port; /* 0: all */
	bool found;
};

/* The record may be another user's: what is printed is checked or made here. */
static void port_print(const json_t *p, struct port_choice *c)
{
	long long port = json_integer_value(json_object_get(p, "port"));
	const char *address = json_string_value(json_object_get(p, "address"));
	bool six = address && strchr(address, ':');
	char shown[64];

	if (!address || (c->port && c->port != port))
		return;
	c->found = true;
	text_escape(shown, sizeof(shown), address, strlen(address));
	if (!c->port)
		printf("%lld/tcp -> ", port);
	printf("%s%s%s:%lld\n", six ? "[" : "", shown, six ? "]" : "",
		   (long long)json_integer_value(json_object_get(p, "host_port")));
}

static int family_ports(struct family_act *a, struct family_dir *dir, struct error *err)
{
	struct family_record record;
	struct port_choice *c = a->with;
	const json_t *p;
	size_t i;

	family_record_read(dir, &record);
	json_array_foreach(json_object_get(json_object_get(record.start, "options"), "ports"), i, p)
		port_print(p, c);
	family_record_free(&record);
	if (!c->port || c->found)
		return 0;
	return error_set(err, 0, "the family '%s' has not published port %ld", dir->name, c->port);
}

void help_port(void)
{
	printf("Usage: unifork port [OPTIONS] NAME [PORT[/tcp]]\n\n"
		   "Prints which ports the family has published (run --publish) and where, or where PORT\n"
		   "is.\n\n"
		   HELP_STATE_DIR);
}

int verb_port(int argc, char **argv, struct error *err)
{
	const char *state_dir = NULL;
	const struct verb_option table[] = {OPTION_STATE_DIR(state_dir), {0}};
	struct port_choice c = {0};
	int first;

	if (verb_options(argc, argv, table, false, &first, err) < 0)
		return -EXIT_USAGE;
	if (argc - first > 2) {
		error_set(err, 0, "port takes one family and one port; see 'unifork port --help'");
		return -EXIT_USAGE;
	}
	if (argc - first == 2) {
		char *slash = strstr(argv[first + 1], "/tcp");

		if (slash && !slash[4])
			*slash = 0;
		if (number_parse("port", argv[first + 1], 1, 65535, &c.port, err) < 0)
			return -EXIT_USAGE;
	}
	return each_family(argc > first ? 1 : 0, argv + first, state_dir, &c, family_ports, err);
}
