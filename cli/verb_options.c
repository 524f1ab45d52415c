/* SPDX-License-Identifier: ISC */
/* Options as tables, names as families. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/verb_options.h"

#define OPTIONS_MAX 16
#define LETTERS_FROM 256 /* values of options without a letter */

static bool takes_value(const struct verb_option *o)
{
	return o->text || o->add;
}

static void tables_fill(const struct verb_option *table, bool stops, struct option *options,
						char *letters)
{
	*letters++ = stops ? '+' : ':';
	if (stops)
		*letters++ = ':';
	*letters++ = 'h';
	options[0] = (struct option){"help", no_argument, NULL, 'h'};
	for (int i = 0; i < OPTIONS_MAX - 2 && table[i].name; i++) {
		options[i + 1] = (struct option){table[i].name,
										 takes_value(&table[i]) ? required_argument : no_argument,
										 NULL,
										 table[i].letter ? table[i].letter : LETTERS_FROM + i};
		if (table[i].letter)
			*letters++ = table[i].letter;
		if (table[i].letter && takes_value(&table[i]))
			*letters++ = ':';
	}
	*letters = 0;
}

/* What getopt found fault with: its '?' or ':'. */
static int complain(const char *verb, int c, const char *given, struct error *err)
{
	char letter[3] = {'-', (char)optopt, 0};
	bool is_long = !strncmp(given, "--", 2);
	const char *shown = is_long || !optopt || optopt >= LETTERS_FROM ? given : letter;

	if (c == ':')
		return error_set(err, 0, "option '%.100s' needs a value; see 'unifork %s --help'", shown,
						 verb);
	if (is_long && optopt)
		return error_set(err, 0, "option '%.100s' takes no value; see 'unifork %s --help'", shown,
						 verb);
	return error_set(err, 0, "unknown option '%.100s'; see 'unifork %s --help'", shown, verb);
}

int verb_options(int argc, char **argv, const struct verb_option *table, bool stops, int *first,
				 struct error *err)
{
	struct option options[OPTIONS_MAX] = {0};
	char letters[2 * OPTIONS_MAX + 4];
	int c, at;

	tables_fill(table, stops, options, letters);
	opterr = 0;
	for (;;) {
		at = optind ? optind : 1;
		c = getopt_long(argc, argv, letters, options, NULL);
		if (c == -1)
			break;
		if (c == 'h') {
			help_of(argv[0]);
			exit(0);
		}
		if (c == '?' || c == ':')
			return complain(argv[0], c, argv[at], err);
		for (int i = 0; table[i].name; i++) {
			if (c != (table[i].letter ? table[i].letter : LETTERS_FROM + i))
				continue;
			if (table[i].add && table[i].add(table[i].env, optarg, err) < 0)
				return -1;
			if (table[i].text)
				*table[i].text = optarg;
			else if (table[i].flag)
				*table[i].flag = true;
		}
	}
	*first = optind;
	return 0;
}

int number_parse(const char *what, const char *text, long least, long most, long *value,
				 struct error *err)
{
	char *end;

	errno = 0;
	*value = strtol(text, &end, 10);
	if (!errno && end != text && !*end && !isspace((unsigned char)*text) && *value >= least &&
		*value <= most)
		return 0;
	return error_set(err, 0, "%s '%.60s' is not a number between %ld and %ld", what, text, least,
					 most);
}

int signal_parse(const char *text, int *sig, struct error *err)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
	struct error unused;
	long number;

	if (isdigit((unsigned char)*text) && number_parse("", text, 1, 64, &number, &unused) == 0) {
		*sig = (int)number;
		return 0;
	}
	for (*sig = 1; *sig < NSIG; (*sig)++) {
		const char *known = sigabbrev_np(*sig);

		if (known && !strcasecmp(known, name))
			return 0;
	}
	return error_set(err, 0, "'%.60s' is no signal; write a name as TERM or SIGUSR1, or a number "
					 "up to 64", text);
}

int each_family(int argc, char **argv, const char *state_dir, void *with,
				int (*act)(struct family_act *a, struct family_dir *dir, struct error *err),
				struct error *err)
{
	struct family_act a = {.with = with};
	int status = 0;

	if (argc == 0) {
		error_set(err, 0, "this needs the name of a family; 'unifork ps -a' lists them");
		return -EXIT_USAGE;
	}
	if (families_open(state_dir, false, &a.families_fd, err) < 0)
		return -EXIT_SYSTEM;
	for (int i = 0; i < argc; i++) {
		struct family_dir dir;
		int r = family_open(a.families_fd, argv[i], &dir, err);

		if (r == 0)
			r = act(&a, &dir, err);
		family_close(&dir);
		if (r == 0)
			continue;
		fflush(stdout);
		fprintf(stderr, "unifork: %s\n", err->text);
		status = EXIT_NOT_SO;
	}
	if (fflush(stdout) == 0)
		return status;
	error_set(err, errno, "cannot write to standard output");
	return -EXIT_SYSTEM;
}

void duration_text(time_t seconds, char *text, size_t size)
{
	static const struct {
		long unit, below;
		const char *one, *many;
	} steps[] = {
		{1, 60, "1 second", "seconds"},
		{60, 3600, "About a minute", "minutes"},
		{3600, 48 * 3600, "About an hour", "hours"},
		{86400, 14 * 86400, "1 day", "days"},
		{7 * 86400, 60 * 86400, "1 week", "weeks"},
		{30 * 86400, 2 * 365 * 86400, "1 month", "months"},
		{365 * 86400, 0, "1 year", "years"},
	};
	size_t i = 0;

	while (steps[i].below && seconds >= steps[i].below)
		i++;
	if (seconds < 1)
		snprintf(text, size, "Less than a second");
	else if (seconds / steps[i].unit == 1)
		snprintf(text, size, "%s", steps[i].one);
	else
		snprintf(text, size, "%ld %s", (long)seconds / steps[i].unit, steps[i].many);
}
