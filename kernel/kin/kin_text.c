/* SPDX-License-Identifier: ISC */
/* See kin_text.h. */
#include "kernel/kin/kin_text.h"

#include "kernel/lib/lib.h"

char *kin_string(const char *s, size_t len)
{
	char *copy = own_new(OWN_MEMORY, len + 1);

	if (copy)
		memcpy(copy, s, len);
	return copy;
}

struct kin_text *kin_text(const char *s, size_t len)
{
	struct kin_text *t = own_new(OWN_MEMORY, sizeof(*t) + len + 1);

	if (t) {
		t->len = (u32)len;
		memcpy(t->text, s, len);
	}
	return t;
}
