/* SPDX-License-Identifier: ISC */
/*
 * What kin says about itself, read from outside while the family is at rest: how much of it is in
 * use, and whether every count is what a recount of the holdings gives.
 */
#ifndef TESTS_DEATH_AUDIT_H
#define TESTS_DEATH_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#define AUDIT_CLASSES 32

struct audit {
	uint64_t pages;                   /* in use, without those of slabs */
	uint32_t classes;
	uint32_t size[AUDIT_CLASSES];     /* bytes */
	uint32_t objects[AUDIT_CLASSES];  /* in use */
	uint32_t members;                 /* records that are not FREE */
	uint32_t processes;               /* slots that are not FREE */
	char wrong[400];                  /* the first thing that does not add up; empty: nothing */
};

/* kin is mapped at its own address. */
void audit_kin(struct audit *a);
/* What one round adds of each. */
struct audit_growth {
	int64_t pages, objects[AUDIT_CLASSES];
};
void audit_growth(const struct audit *before, const struct audit *after, struct audit_growth *g);
/*
 * What there is more of than before, beyond g, as text; without a growth also what there is less
 * of. False: nothing.
 */
bool audit_differs(const struct audit *before, const struct audit *after,
				   const struct audit_growth *g, char *text, uint32_t size);
/* The monitor of that pid, by its number in the family's PID namespace; 0: none that lives. */
int audit_monitor(int pid);
/* The members that are not FREE, as text. */
void audit_members(char *text, uint32_t size);
/* Nothing is left of the dead, and the first member sleeps. */
bool audit_at_rest(uint32_t members);

#endif
