/* SPDX-License-Identifier: ISC */
/* Text under construction: kernel heap pages, grows. What /proc shows is made of it. */
#ifndef KERNEL_LIB_TEXT_H
#define KERNEL_LIB_TEXT_H

#include "common/types.h"

struct text {
	char *buf;
	size_t len, cap;
	bool failed; /* no memory: what was added since is missing */
};
void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_bytes(struct text *t, const void *p, size_t n);
void text_free(struct text *t);

#endif
