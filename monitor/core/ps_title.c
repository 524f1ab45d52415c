/* SPDX-License-Identifier: ISC */
/*
 * What ps(1) of the host shows for a monitor: its arguments, over which it writes what it runs. It
 * looks at the name in its record at each hypercall, which costs nothing beside that, and writes
 * where the name or the process is another: a clone gets a page of its own so. But not at those
 * that wake another member or end this one: who does nothing else will soon be gone, and its name
 * would cost it a page and pieces of the C library's text. The name is the guest's to choose.
 */
#include <string.h>

#include "monitor/core/core_internal.h"

#define TITLE_MAX 128 /* more than all its parts take */

/* Each clone writes one: printf would touch a dozen pages of the C library that it has not yet. */
static char *put(char *at, const char *text)
{
	size_t len = strlen(text);

	memcpy(at, text, len);
	return at + len;
}

static char *put_id(char *at, s32 id)
{
	char digits[12];
	u32 n = 0, left = id > 0 ? (u32)id : 0;

	do {
		digits[n++] = (char)('0' + left % 10);
		left /= 10;
	} while (left);
	while (n)
		*at++ = digits[--n];
	return at;
}

/* All of it, or as much as there is room for. */
static void title_write(struct member *m, const char *name, s32 pid)
{
	const struct family *f = m->family;
	char text[TITLE_MAX], *named = put(put(text, "unifork: "), name);
	char *end = put_id(put(put_id(put(named, " [pid "), pid), " of "), f->front_pid);

	end = put(end, "]");
	if ((size_t)(end - text) >= f->title_size)
		end = put(put_id(put(named, " ["), pid), "]");
	if ((size_t)(end - text) >= f->title_size)
		end = named;
	memset(f->title, 0, f->title_size);
	memcpy(f->title, text, MIN((size_t)(end - text), f->title_size - 1));
}

void title_update(struct member *m)
{
	const struct kin_member *rec;
	char name[sizeof(rec->comm) + 1];
	s32 pid;

	if (!m->family->title)
		return;
	rec = &m->family->kin->members[m->index];
	memcpy(name, rec->comm, sizeof(rec->comm)); /* once: others may write it */
	pid = KIN_READ(rec->pid);
	if (pid == m->title_pid && !memcmp(name, m->title_name, sizeof(rec->comm)))
		return;
	m->title_pid = pid;
	memcpy(m->title_name, name, sizeof(rec->comm));
	name[sizeof(rec->comm)] = 0;
	text_clean(name, strlen(name));
	title_write(m, name, pid);
}
