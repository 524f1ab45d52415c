/* SPDX-License-Identifier: ISC */
/*
 * What is written of a family: with what it was started (family.json) and how it ended (end.json).
 * A reader trusts neither: root looks at directories of others, and a disk may lie. So they are
 * bounded, and what is wanted of them is checked for its type.
 */
#ifndef MONITOR_FAMILIES_FAMILY_RECORD_H
#define MONITOR_FAMILIES_FAMILY_RECORD_H

#include <jansson.h>
#include <time.h>

#include "monitor/families/family_dir.h"

#define RECORD_VERSION 1

enum family_state {
	FAMILY_STARTING, /* alive, and has not written what it is */
	FAMILY_RUNNING,
	FAMILY_PAUSED,
	FAMILY_EXITED,   /* it said how it ended */
	FAMILY_DEAD,     /* it did not, or it was killed from outside */
};
extern const char *const family_state_names[];

struct family_record {
	enum family_state state;
	bool detached;
	time_t created, ended; /* 0: not known */
	int exit_status;       /* as a shell shows it */
	json_t *start, *end;   /* the files; NULL: none that can be read */
};

/* Never fails: what cannot be read is not known. */
void family_record_read(const struct family_dir *dir, struct family_record *record);
void family_record_free(struct family_record *record);

/* By the front. Takes `start` over. */
int family_start_write(const struct family_dir *dir, json_t *start, struct error *err) MUST_CHECK;
/* wait_status of its first process; failed: why the family ended otherwise, or NULL. */
int family_end_write(const struct family_dir *dir, int wait_status, const struct error *failed,
					 struct error *err) MUST_CHECK;

/* As in `2026-11-26T23:59:59Z`. */
void time_text(time_t when, char *text, size_t size);

/*
 * Bytes of a guest's or user's choice as printable ASCII: \xNN for what is not, \\ for a backslash.
 * Cut to the room that there is.
 */
void text_escape(char *out, size_t size, const char *in, size_t len);
json_t *text_json(const char *in);

#endif
