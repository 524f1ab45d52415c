/* SPDX-License-Identifier: ISC */
/* /proc/self/maps, statm and the memory lines of status. Format: proc(5). */
#include "kernel/mm/internal.h"

#include <linux/mman.h>

#include "kernel/fs/file.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/lib.h"

#define NAME_COLUMN 73

/* Output window: bytes [skip, skip + size) of the text. */
struct text {
	char *buf;
	size_t size, used;
	u64 skip;
};

static void text_add(struct text *t, const char *s, size_t len)
{
	if (t->skip >= len) {
		t->skip -= len;
		return;
	}
	s += t->skip;
	len = MIN(len - t->skip, t->size - t->used);
	t->skip = 0;
	memcpy(t->buf + t->used, s, len);
	t->used += len;
}

static const char *vma_name(const struct vma *v)
{
	if (v->flags & VMA_HEAP)
		return "[heap]";
	if (v->flags & VMA_STACK)
		return "[stack]";
	if (v->start == VDSO_ADDR)
		return "[vdso]";
	if (v->object && !v->file)
		return "/dev/zero (deleted)";
	return NULL;
}

static void print_name(struct text *t, const struct vma *v, int column)
{
	static const char spaces[] = "                                                  ";
	const char *name = vma_name(v);

	if (!name && !(v->file && v->file->path))
		return;
	text_add(t, spaces, column < NAME_COLUMN ? (size_t)(NAME_COLUMN - column) : 1);
	if (v->file && v->file->path)
		text_add(t, v->file->path, strlen(v->file->path));
	else
		text_add(t, name, strlen(name));
}

static void print_vma(struct text *t, const struct vma *v)
{
	struct kstat st = {0};
	char line[128];
	int n;

	if (v->file && file_ops[v->file->type]->stat && file_ops[v->file->type]->stat(v->file, &st))
		st = (struct kstat){0};
	n = ksnprintf(line, sizeof(line), "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ",
		(unsigned long long)v->start, (unsigned long long)v->end, v->prot & PROT_READ ? 'r' : '-',
		v->prot & PROT_WRITE ? 'w' : '-', v->prot & PROT_EXEC ? 'x' : '-',
		v->flags & VMA_SHARED ? 's' : 'p', (unsigned long long)v->offset,
		(unsigned)(st.dev >> 8 & 0xfff), (unsigned)(st.dev & 0xff), (unsigned long long)st.ino);
	text_add(t, line, (size_t)n);
	print_name(t, v, n);
	text_add(t, "\n", 1);
}

s64 mm_print_maps(struct mm *mm, char *buf, size_t size, u64 skip)
{
	struct text t = {.buf = buf, .size = size, .skip = skip};

	for (struct vma *v = vma_first(mm, 0); v && t.used < size; v = vma_next(v))
		if (v->start != CALL_TABLE_ADDR || !(v->flags & VMA_SPECIAL))
			print_vma(&t, v);
	return (s64)t.used;
}

void mm_count(struct mm *mm, struct mm_counts *c)
{
	*c = (struct mm_counts){.size = mm->total_pages, .resident = mm->present.bytes / PAGE_SIZE};
	for (struct vma *v = vma_first(mm, 0); v; v = vma_next(v)) {
		u64 pages = (v->end - v->start) / PAGE_SIZE, s, e;

		for (u64 at = v->start; ranges_next(&mm->present, at, v->end, &s, &e); at = e)
			if (v->file || v->object)
				c->shared += (e - s) / PAGE_SIZE;
		if (v->flags & VMA_LOCKED)
			c->locked += pages;
		if (v->flags & VMA_STACK)
			c->stack += pages;
		else if (v->prot & PROT_EXEC && v->file)
			c->text += pages;
		else if (v->prot & PROT_WRITE && !(v->flags & VMA_SHARED))
			c->data += pages;
	}
}
