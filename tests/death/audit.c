/* SPDX-License-Identifier: ISC */
/* See audit.h. The kernel's headers and the C library's do not go into one file. */
#include "audit.h"

#include <stdarg.h>

#include "kernel/fd/file.h"
#include "kernel/pipe/pipe.h"
#include "kernel/kin/root.h"
#include "kernel/task/table.h"

#define FILES_MAX 4096

int snprintf(char *buf, size_t size, const char *format, ...);
size_t strlen(const char *s);

/* kernel/kin/slab.c */
struct slab {
	u64 magic;
	u32 class, nfree;
	struct slab *next, *prev;
	struct slab *partial, **partial_prev;
	u64 used[4];
};

/* What was found of each file. */
static struct seen {
	struct file *file;
	u32 holdings;
} seen[FILES_MAX];
static u32 nseen;

#define WRONG(a, ...)                                                \
	do {                                                             \
		if (!(a)->wrong[0])                                          \
			snprintf((a)->wrong, sizeof((a)->wrong), __VA_ARGS__);   \
	} while (0)

static void file_seen(struct audit *a, struct file *f)
{
	for (u32 i = 0; i < nseen; i++)
		if (seen[i].file == f) {
			seen[i].holdings++;
			return;
		}
	if (nseen == FILES_MAX)
		WRONG(a, "more than %d files", FILES_MAX);
	else
		seen[nseen++] = (struct seen){f, 1};
}

static void audit_table(struct audit *a, struct fdtable *t)
{
	for (u32 fd = 0; fd < t->size; fd++)
		if (t->entries[fd].file)
			file_seen(a, t->entries[fd].file);
}

static void audit_own(struct audit *a, u32 member)
{
	struct own_records *own = ROOT->members[member].own;

	for (u32 i = 0; own && i < OWN_RECORDS; i++)
		if (own->record[i].what)
			WRONG(a, "member %u: a record is left: kind %u, step %u", member,
				  own->record[i].kind, own->record[i].step);
}

static void audit_records(struct audit *a)
{
	for (u32 i = 0; i < MEMBERS_MAX; i++) {
		struct member_record *r = &ROOT->members[i];

		a->members += atomic_load(&KIN->members[i].state) != MEMBER_FREE;
		for (struct hold_page *page = r->holds; page; page = page->next)
			for (u32 k = 0; k < HOLDS_PER_PAGE; k++)
				if (page->hold[k].what && page->hold[k].kind == OWN_FILE)
					file_seen(a, page->hold[k].what);
		audit_own(a, i);
	}
}

static void audit_pipe(struct audit *a, struct pipe *p)
{
	u32 readers = 0, writers = 0;

	for (u32 i = 0; i < nseen; i++) {
		struct file *f = seen[i].file;

		if (f->type != FILE_PIPE || f->pipe != p)
			continue;
		readers += f->priv[0] & PIPE_READS ? 1 : 0;
		writers += f->priv[0] & PIPE_WRITES ? 1 : 0;
	}
	if (atomic_load(&p->readers) != readers || atomic_load(&p->writers) != writers)
		WRONG(a, "a pipe counts %u readers and %u writers and has %u and %u",
			  atomic_load(&p->readers), atomic_load(&p->writers), readers, writers);
}

static void audit_files(struct audit *a)
{
	for (u32 i = 0; i < nseen; i++) {
		struct file *f = seen[i].file;

		if (ref_count(&f->ref) != seen[i].holdings)
			WRONG(a, "a file of type %u counts %u references, %u are found", f->type,
				  ref_count(&f->ref), seen[i].holdings);
		else if (f->type == FILE_PIPE && f->pipe)
			audit_pipe(a, f->pipe);
	}
}

static void audit_memory(struct audit *a)
{
	u64 slabs = 0;

	a->classes = SLAB_CLASSES;
	for (u32 i = 0; i < SLAB_CLASSES; i++) {
		struct slab_class *c = &ROOT->classes[i];

		a->size[i] = c->size;
		for (struct slab *s = c->all; s; s = s->next, slabs++)
			for (u32 k = 0; k < 4; k++)
				a->objects[i] += (u32)__builtin_popcountll(s->used[k]);
	}
	a->pages = ROOT->pages_used - slabs;
	/* A member record's own stay with it, and how many were in use at once varies. */
	for (u32 i = 0; i < MEMBERS_MAX; i++) {
		if (KIN->members[i].request)
			a->pages -= ALIGN_UP(sizeof(struct volume_request), PAGE_SIZE) / PAGE_SIZE;
		if (ROOT->members[i].own)
			a->objects[((struct slab *)ALIGN_DOWN((u64)ROOT->members[i].own, PAGE_SIZE))->class]--;
	}
}

/* Its table, unless another process of those before it has the same. */
static void audit_process(struct audit *a, struct proc_table *t, u32 slot)
{
	struct fdtable *fds = t->chunk[slot / CHUNK_PROCS][slot % CHUNK_PROCS].fds;
	u32 sharers = 0;

	for (u32 i = 0; fds && i < t->nslots; i++) {
		if (t->chunk[i / CHUNK_PROCS][i % CHUNK_PROCS].fds != fds)
			continue;
		if (i < slot)
			return;
		sharers++;
	}
	if (!fds)
		return;
	if (ref_count(&fds->ref) != sharers)
		WRONG(a, "a descriptor table counts %u processes, %u have it", ref_count(&fds->ref),
			  sharers);
	audit_table(a, fds);
}

static void audit_processes(struct audit *a)
{
	struct proc_table *t = atomic_load(&ROOT->roots[ROOT_PROC]);

	for (u32 i = 0; i < t->nslots; i++) {
		struct kin_proc *p = &t->chunk[i / CHUNK_PROCS][i % CHUNK_PROCS];

		if (p->state == PROC_FREE)
			continue;
		a->processes++;
		audit_process(a, t, i);
	}
	if (a->processes != t->nprocs)
		WRONG(a, "%u processes are counted, there are %u", t->nprocs, a->processes);
}

void audit_kin(struct audit *a)
{
	*a = (struct audit){0};
	nseen = 0;
	audit_processes(a);
	audit_records(a);
	audit_files(a);
	audit_memory(a);
}

void audit_growth(const struct audit *before, const struct audit *after, struct audit_growth *g)
{
	if (!g)
		return;
	g->pages = (s64)(after->pages - before->pages);
	for (u32 i = 0; i < after->classes; i++)
		g->objects[i] = (s64)after->objects[i] - before->objects[i];
}

static void add(char *text, u32 size, const char *name, s64 more, s64 expected)
{
	u32 len = (u32)strlen(text);

	if (more > expected || (more < 0 && !expected))
		snprintf(text + len, size - len, "%s%s: %+ld", len ? ", " : "", name, more);
}

bool audit_differs(const struct audit *before, const struct audit *after,
				   const struct audit_growth *g, char *text, u32 size)
{
	char name[40];

	text[0] = 0;
	for (u32 i = 0; i < after->classes; i++) {
		snprintf(name, sizeof(name), "objects of %u bytes", after->size[i]);
		add(text, size, name, (s64)after->objects[i] - before->objects[i], g->objects[i]);
	}
	add(text, size, "pages", (s64)(after->pages - before->pages), g->pages);
	add(text, size, "members", (s64)after->members - before->members, 0);
	add(text, size, "processes", (s64)after->processes - before->processes, 0);
	return text[0] != 0;
}

int audit_monitor(int pid)
{
	for (u32 i = 0; i < MEMBERS_MAX; i++) {
		struct kin_member *m = &KIN->members[i];

		if (atomic_load(&m->state) == MEMBER_LIVE && m->pid == pid)
			return atomic_load(&m->host_pid);
	}
	return 0;
}

bool audit_at_rest(u32 members)
{
	u32 found = 0;

	for (u32 i = 0; i < MEMBERS_MAX; i++)
		found += atomic_load(&KIN->members[i].state) != MEMBER_FREE;
	return found == members &&
		   atomic_load(&KIN->members[0].doorbell_state) != DOORBELL_RUNNING;
}

void audit_members(char *text, u32 size)
{
	static const char *const states[] = {"free", "cloning", "spawning", "live", "exiting", "dead"};
	u32 n = 0;

	text[0] = 0;
	for (u32 i = 0; i < MEMBERS_MAX && n + 60 < size; i++) {
		struct kin_member *m = &KIN->members[i];

		if (atomic_load(&m->state) != MEMBER_FREE)
			n += (u32)snprintf(text + n, size - n, "%u %s of %u, monitor %d, doorbell %u; ", i,
							   states[atomic_load(&m->state) % 6], m->parent,
							   atomic_load(&m->host_pid), atomic_load(&m->doorbell_state));
	}
}
