/* SPDX-License-Identifier: ISC */
/* Strings in kin. */
#ifndef KERNEL_KIN_KIN_TEXT_H
#define KERNEL_KIN_KIN_TEXT_H

#include "kernel/kin/own.h"

/* Length and text change by one store, that of the pointer to both. */
struct kin_text {
	u32 len;
	char text[]; /* NUL-terminated */
};

static inline const char *kin_text_get(const struct kin_text *t)
{
	return t ? t->text : NULL;
}

/* Copies of len bytes, in hand (OWN_MEMORY); NULL: no memory. kin_string: NUL-terminated. */
struct kin_text *kin_text(const char *s, size_t len);
char *kin_string(const char *s, size_t len);

#endif
