/* SPDX-License-Identifier: ISC */
/*
 * What ps(1) of the host shows for a monitor: its arguments, over which it writes what it runs. It
 * looks at the name in its record at each hypercall, which costs nothing beside that, and writes
 * where the name or the process is another: a clone gets a page of its own so. The name is the
 * guest's to choose.
 */
#include <stdio.h>
#include <string.h>

#include "monitor/core/core_internal.h"

static void title_write(struct member *m, const char *name, s32 pid)
{
	const struct family *f = m->family;
	char text[128];
	int n = snprintf(text, sizeof(text), "unifork: %s [pid %d of %d]", name, pid, f->front_pid);

	if (n < 0 || (size_t)n >= f->title_size)
		n = snprintf(text, sizeof(text), "unifork: %s [%d]", name, pid);
	if (n < 0 || (size_t)n >= f->title_size)
		n = snprintf(text, sizeof(text), "unifork: %s", name);
	memset(f->title, 0, f->title_size);
	memcpy(f->title, text, MIN((size_t)n, f->title_size - 1));
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
