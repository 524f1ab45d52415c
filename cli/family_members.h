/* SPDX-License-Identifier: ISC */
/* The members of a living family, asked of its front page by page. */
#ifndef CLI_FAMILY_MEMBERS_H
#define CLI_FAMILY_MEMBERS_H

#include <jansson.h>

#include "monitor/families/family_dir.h"

/*
 * into gets the array "members" and what the last page says of all of them. While it is asked
 * members come and go. connection: one that is open, or -1.
 */
int members_ask(int connection, json_t *into, struct error *err) MUST_CHECK;
int family_members(const struct family_dir *dir, json_t *into, struct error *err) MUST_CHECK;

#endif
