/* SPDX-License-Identifier: ISC */
/* See text.h. */
#include "abi/layout.h"
#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/text.h"

void text_bytes(struct text *t, const void *p, size_t n)
{
	if (t->len + n + 1 > t->cap && !t->failed) {
		size_t pages = (MAX(t->len + n + 1, t->cap * 2) + PAGE_SIZE - 1) / PAGE_SIZE;
		char *more = kpages_alloc(pages);
		if (more) {
			memcpy(more, t->buf, t->len);
			if (t->buf)
				kpages_free(t->buf, t->cap / PAGE_SIZE);
			t->buf = more;
			t->cap = pages * PAGE_SIZE;
		} else {
			t->failed = true;
		}
	}
	if (t->failed)
		return;
	memcpy(t->buf + t->len, p, n);
	t->len += n;
}

void text_add(struct text *t, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	int n = kvsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0)
		text_bytes(t, line, MIN((size_t)n, sizeof(line) - 1));
}

void text_free(struct text *t)
{
	if (t->buf)
		kpages_free(t->buf, t->cap / PAGE_SIZE);
	t->buf = NULL;
}
