/* SPDX-License-Identifier: ISC */
/*
 * What the verbs for families with names share: their options as a table, the state directory, and
 * the way from a name on the command line to a family.
 */
#ifndef CLI_VERB_OPTIONS_H
#define CLI_VERB_OPTIONS_H

#include "cli/cli.h"
#include "monitor/families/family_record.h"

/* Statuses beside EXIT_USAGE and EXIT_SYSTEM: one of the families is not there or not so. */
#define EXIT_NOT_SO 1

struct environment;

struct verb_option {
	const char *name;
	char letter; /* 0: it has none */
	const char **text; /* takes a value; or */
	bool *flag;        /* takes none; or */
	/* it takes a value as often as it is given: environment.c */
	int (*add)(struct environment *env, const char *text, struct error *err);
	struct environment *env;
};

/* Every one of these verbs has it. */
#define OPTION_STATE_DIR(variable) {"state-dir", 0, .text = &(variable)}
#define HELP_STATE_DIR                                                                             \
	"      --state-dir DIR  where families are kept (/run/unifork, or $XDG_RUNTIME_DIR/unifork)\n" \
	"  -h, --help           this text\n"

/*
 * The table ends with a name of NULL. The operands are behind *first then, options may stand
 * between them unless `stops`. 0, or -1 and err. --help is answered by the verb's own text.
 */
int verb_options(int argc, char **argv, const struct verb_option *table, bool stops, int *first,
				 struct error *err) MUST_CHECK;

/* A whole number between least and most. */
int number_parse(const char *what, const char *text, long least, long most, long *value,
				 struct error *err) MUST_CHECK;
/* A name with or without SIG, or a number; err says what is wrong. */
int signal_parse(const char *text, int *sig, struct error *err) MUST_CHECK;

/*
 * For each of the operands its family: what `act` cannot do is printed, the others follow. The
 * status: 0, EXIT_NOT_SO if one could not be done, or negative as a verb's.
 */
struct family_act {
	int families_fd;
	void *with; /* the verb's own */
};
int each_family(int argc, char **argv, const char *state_dir, void *with,
				int (*act)(struct family_act *a, struct family_dir *dir, struct error *err),
				struct error *err) MUST_CHECK;

/* "3 minutes" */
void duration_text(time_t seconds, char *text, size_t size);

/* Ends a living family by force, whatever its front does: 0, or -1 and err. */
int family_end(const struct family_dir *dir, struct error *err) MUST_CHECK;

#endif
