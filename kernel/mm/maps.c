/* SPDX-License-Identifier: ISC */
/* /proc/self/maps, smaps, statm and the memory lines of status. Format: proc(5). */
#include "kernel/kin/kin_core.h"
#include "kernel/mm/mm_internal.h"

#include <linux/mman.h>

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

static const char spaces[] = "                                                  ";

static void print_name(struct text *t, const struct vma *v, int column)
{
	static char path[FILE_SHOWN_MAX];
	bool shown = v->file && file_shown_path(v->file, path, sizeof(path)) > 0;
	const char *name = shown ? path : vma_name(v);

	if (!name)
		return;
	text_add(t, spaces, column < NAME_COLUMN ? (size_t)(NAME_COLUMN - column) : 1);
	text_add(t, name, strlen(name));
}

/* The table of redirected calls: the kernel's. */
static bool hidden(const struct vma *v)
{
	return v->start == CALL_TABLE_ADDR && v->flags & VMA_SPECIAL;
}

static void print_vma(struct text *t, const struct vma *v)
{
	struct kstat st = {0};
	char line[128];
	int n;

	if (v->file && file_describe(v->file, &st))
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

/* Bytes. */
struct use {
	u64 rss, pss, pss_anon, pss_file, pss_shmem;
	u64 shared_clean, shared_dirty, private_clean, private_dirty, locked;
};

/*
 * Resident is what has page-table entries. Whether a page of a private mapping was copied only the
 * host knows: those of a file count as written if they may be. Shared memory is divided among all
 * who refer to it, open files included.
 */
static void use_add(struct mm *mm, const struct vma *v, struct use *u)
{
	u64 rss = 0, s, e;

	for (u64 at = v->start; ranges_next(&mm->present, at, v->end, &s, &e); at = e)
		rss += e - s;
	u->rss += rss;
	u->locked += v->flags & VMA_LOCKED ? rss : 0;
	if (v->object) {
		u64 refs = MAX(1u, object_refs(v->object));
		*(refs > 1 ? &u->shared_dirty : &u->private_dirty) += rss;
		u->pss_shmem += rss / refs;
		u->pss += rss / refs;
		return;
	}
	bool written = !v->file || (v->prot & PROT_WRITE && !(v->flags & VMA_SHARED));
	if (v->flags & VMA_SHARED)
		u->shared_clean += rss;
	else
		*(written ? &u->private_dirty : &u->private_clean) += rss;
	*(written ? &u->pss_anon : &u->pss_file) += rss;
	u->pss += rss;
}

static void print_line(struct text *t, const char *name, u64 bytes)
{
	char line[64], label[32];

	ksnprintf(label, sizeof(label), "%s:", name);
	text_add(t, line, (size_t)ksnprintf(line, sizeof(line), "%-16s%8lu kB\n", label, bytes / 1024));
}

static void print_use(struct text *t, const struct use *u, bool sum)
{
	u64 pss_dirty = u->pss_anon + u->pss_shmem;

	print_line(t, "Rss", u->rss);
	print_line(t, "Pss", u->pss);
	print_line(t, "Pss_Dirty", pss_dirty);
	if (sum) {
		print_line(t, "Pss_Anon", u->pss_anon);
		print_line(t, "Pss_File", u->pss_file);
		print_line(t, "Pss_Shmem", u->pss_shmem);
	}
	print_line(t, "Shared_Clean", u->shared_clean);
	print_line(t, "Shared_Dirty", u->shared_dirty);
	print_line(t, "Private_Clean", u->private_clean);
	print_line(t, "Private_Dirty", u->private_dirty);
	print_line(t, "Referenced", u->rss);
	print_line(t, "Anonymous", u->pss_anon);
	print_line(t, "LazyFree", 0);
	print_line(t, "AnonHugePages", 0);
	print_line(t, "ShmemPmdMapped", 0);
	print_line(t, "FilePmdMapped", 0);
	print_line(t, "Shared_Hugetlb", 0);
	print_line(t, "Private_Hugetlb", 0);
	print_line(t, "Swap", 0);
	print_line(t, "SwapPss", 0);
	print_line(t, "Locked", u->locked);
}

static void print_flags(struct text *t, const struct vma *v)
{
	char line[96];
	int n = ksnprintf(line, sizeof(line), "VmFlags: %s%s%s%smr %sme %s%s%s%s%s%s%s\n",
		v->prot & PROT_READ ? "rd " : "", v->prot & PROT_WRITE ? "wr " : "",
		v->prot & PROT_EXEC ? "ex " : "", v->flags & VMA_SHARED ? "sh " : "",
		v->flags & VMA_NOWRITE ? "" : "mw ", v->flags & VMA_SHARED ? "ms " : "",
		v->flags & (VMA_STACK | VMA_GROWSDOWN) ? "gd " : "", v->flags & VMA_LOCKED ? "lo " : "",
		v->flags & VMA_DONTFORK ? "dc " : "", v->flags & VMA_NORESERVE ? "nr " : "",
		v->flags & VMA_WIPEONFORK ? "wf " : "", v->flags & VMA_NOHUGE ? "nh " : "");

	text_add(t, line, (size_t)n);
}

static void print_detail(struct text *t, struct mm *mm, const struct vma *v)
{
	struct use u = {0};

	use_add(mm, v, &u);
	print_line(t, "Size", v->end - v->start);
	print_line(t, "KernelPageSize", PAGE_SIZE);
	print_line(t, "MMUPageSize", PAGE_SIZE);
	print_use(t, &u, false);
	text_add(t, "THPeligible:           0\n", 25);
	print_flags(t, v);
}

static void print_sum(struct text *t, struct mm *mm)
{
	struct vma *v = vma_first(mm, 0);
	struct use u = {0};
	char line[96];
	u64 start = v ? v->start : 0, end = start;
	int n;

	for (; v; v = vma_next(v)) {
		if (hidden(v))
			continue;
		use_add(mm, v, &u);
		end = v->end;
	}
	n = ksnprintf(line, sizeof(line), "%08lx-%08lx ---p 00000000 00:00 0 ", start, end);
	text_add(t, line, (size_t)n);
	text_add(t, spaces, (size_t)MAX(NAME_COLUMN - n, 1));
	text_add(t, "[rollup]\n", 9);
	print_use(t, &u, true);
}

s64 mm_print_maps(struct mm *mm, char *buf, size_t size, u64 skip, enum mm_detail detail)
{
	struct text t = {.buf = buf, .size = size, .skip = skip};

	if (detail == MM_SUM)
		print_sum(&t, mm);
	struct vma *v = detail == MM_SUM ? NULL : vma_first(mm, 0);
	for (; v && t.used < size; v = vma_next(v)) {
		if (hidden(v))
			continue;
		print_vma(&t, v);
		if (detail == MM_USE)
			print_detail(&t, mm, v);
	}
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

/*
 * Where the command line lies now. As on Linux a program may write a title over its arguments; one
 * that goes on into the environment ends at its NUL, at most a page after it began.
 */
void mm_cmdline(const struct mm *mm, u64 *start, u64 *end)
{
	u64 limit = MIN(mm->env_end, mm->arg_start + PAGE_SIZE);
	char last = 0;

	*start = mm->arg_start;
	*end = MAX(mm->arg_start, mm->arg_end);
	if (*end == *start || copy_in(&last, (const void *)(*end - 1), 1) || !last)
		return;
	while (last && *end < limit && !copy_in(&last, (const void *)*end, 1))
		++*end;
}
