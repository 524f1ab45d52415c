/* SPDX-License-Identifier: ISC */
/*
 * Keeps the family's known call sites. A site is noted by the member that redirected it, and used
 * by those that map the same file later (the architecture's redirect.c compares the bytes again): a
 * wrong or damaged note costs time and nothing else.
 *
 * The files are a hash table with open addressing: a file is entered with one store when it is
 * filled in, a site with the store of its count. So readers take no lock, and every single store
 * leaves the whole in order; the lock is between writers.
 */
#include <stdatomic.h>
#include <linux/mman.h>

#include "kernel/arch/arch.h"
#include "kernel/arch/arch_hooks.h"
#include "kernel/kin/claim.h"
#include "kernel/kin/kin_core.h"
#include "kernel/mm/call_sites.h"
#include "kernel/mm/mm_hooks.h"
#include "kernel/mm/mm_internal.h"
#include "kernel/task/thread.h"

#define FILES_MAX 256
#define FILE_SITES_MAX 120

struct known_site {
	u64 offset; /* in the file: of what follows the `syscall` */
	u32 nr;     /* the number that it loads */
	u32 reserved;
};

struct site_file {
	u64 dev, ino, size;
	s64 mtime_ns;
	_Atomic u32 count; /* sites below are complete */
	struct known_site site[FILE_SITES_MAX];
};

struct known_sites {
	KIN_LOCK(lock, CALL_SITES); /* of those who add; innermost */
	_Atomic u32 total;
	struct site_file *_Atomic file[FILES_MAX];
};

static bool is_file(const struct site_file *s, const struct kstat *st)
{
	return s->ino == st->ino && s->dev == st->dev && s->size == st->size &&
		   s->mtime_ns == st->mtime_ns;
}

static bool key_of(struct file *f, struct kstat *st)
{
	return file_describe(f, st) == 0;
}

/* The slot of the file, or the free one where it would go; NULL: the table is full. */
static struct site_file *_Atomic *slot_of(struct known_sites *k, const struct kstat *st)
{
	for (u32 i = 0; i < FILES_MAX; i++) {
		struct site_file *_Atomic *slot = &k->file[(st->ino + i) % FILES_MAX];
		struct site_file *s = atomic_load(slot);

		if (!s || is_file(s, st))
			return slot;
	}
	return NULL;
}

/* NULL: nothing is known. */
static const struct site_file *sites_of(struct file *f)
{
	struct known_sites *k = kin_root_get(ROOT_SITES);
	struct site_file *_Atomic *slot;
	struct kstat st;

	if (!k || !k->total || !key_of(f, &st))
		return NULL;
	slot = slot_of(k, &st);
	return slot ? atomic_load(slot) : NULL;
}

/* How many were ever noted. */
static u32 sites_total(void)
{
	struct known_sites *k = kin_root_get(ROOT_SITES);

	return k ? atomic_load(&k->total) : 0;
}

static bool site_add(struct site_file *s, u64 offset, u32 nr)
{
	u32 n = s->count;

	for (u32 i = 0; i < n; i++)
		if (s->site[i].offset == offset)
			return false;
	if (n == FILE_SITES_MAX)
		return false;
	s->site[n] = (struct known_site){.offset = offset, .nr = nr};
	atomic_store(&s->count, n + 1);
	return true;
}

static void sites_note(struct file *f, u64 offset, u32 nr)
{
	struct known_sites *k = kin_root_claim(ROOT_SITES, sizeof(*k), NULL);
	struct site_file *fresh, *_Atomic *slot;
	struct kstat st;

	if (!k || !key_of(f, &st))
		return;
	slot = slot_of(k, &st);
	if (!slot)
		return;
	/* Memory is taken before the lock. */
	fresh = atomic_load(slot) ? NULL : kin_alloc(sizeof(*fresh));
	if (fresh) {
		fresh->dev = st.dev;
		fresh->ino = st.ino;
		fresh->size = st.size;
		fresh->mtime_ns = st.mtime_ns;
	}
	kin_lock_recover(&k->lock, kin_recover_whole, NULL);
	slot = slot_of(k, &st);
	if (slot && !atomic_load(slot) && fresh) {
		atomic_store(slot, fresh);
		fresh = NULL;
	}
	if (slot && atomic_load(slot) && site_add(atomic_load(slot), offset, nr))
		atomic_fetch_add(&k->total, 1);
	kin_unlock(&k->lock);
	if (fresh)
		kin_free(fresh);
}

static bool is_text(const struct vma *v)
{
	return !(v->flags & VMA_SHARED) &&
		   (v->prot & (PROT_READ | PROT_WRITE | PROT_EXEC)) == (PROT_READ | PROT_EXEC);
}

/* Where a noted site lies in v; 0: not there, or not present. */
static u64 site_place(struct mm *mm, struct vma *v, const struct known_site *k)
{
	u64 after = v->start + (k->offset - v->offset), s, e;

	if (k->offset < v->offset + REDIRECT_BEFORE ||
		k->offset - v->offset > v->end - v->start - REDIRECT_AFTER ||
		ranges_next_gap(&mm->present, after - REDIRECT_BEFORE, after + REDIRECT_AFTER, &s, &e))
		return 0;
	return after;
}

void sites_redirect(struct mm *mm, struct vma *v)
{
	static struct known_call calls[FILE_SITES_MAX];
	const struct site_file *f = v->file && !v->object && is_text(v) ? sites_of(v->file) : NULL;
	u32 count = f ? MIN(f->count, (u32)FILE_SITES_MAX) : 0, n = 0;

	for (u32 i = 0; i < count; i++) {
		u64 after = site_place(mm, v, &f->site[i]);

		if (after)
			calls[n++] = (struct known_call){.after = after, .nr = f->site[i].nr};
	}
	if (n)
		redirect_known(v->start, v->end, calls, n);
}

/*
 * Does the dynamic linker make this call? What it maps will run. Others may map text to read and
 * translate it, as valgrind does: there a site is redirected when it has run.
 */
static bool loader_calls(const struct mm *mm)
{
	u64 ip = redirect_origin(frame_ip(thread_frame(current)));

	return ip >= mm->loader_start && ip < mm->loader_end;
}

void sites_mapped(struct mm *mm, struct vma *v)
{
	if (!loader_calls(mm))
		return;
	v->flags |= VMA_RUNS;
	sites_redirect(mm, v);
}

static bool overlaps_call_table(u64 start, u64 end)
{
	return start < CALL_TABLE_ADDR + CALL_TABLE_SIZE && end > CALL_TABLE_ADDR;
}

void call_table_yield(struct mm *mm, u64 start, u64 end)
{
	struct vma *v = overlaps_call_table(start, end) ? mm_find(mm, CALL_TABLE_ADDR) : NULL;

	if (!v || !(v->flags & VMA_SPECIAL))
		return;
	vma_remove(mm, v);
	redirect_undo();
}

/* Those that have not run yet go to the application with a frame of their own. */
static void frames_to_text(struct proc *p)
{
	struct thread *t;

	LIST_FOREACH (t, &p->threads, sibling) {
		struct trapframe *frame = t->start ? t->start : thread_frame(t);

		frame_set_ip(frame, redirect_place(frame_ip(frame)));
	}
}

void calls_trap(struct mm *mm)
{
	struct vma *v = mm_find(mm, CALL_TABLE_ADDR);
	struct proc *p;

	if (!v || !(v->flags & VMA_SPECIAL))
		return;
	LIST_FOREACH (p, &member_procs, link)
		frames_to_text(p);
	call_table_yield(mm, CALL_TABLE_ADDR, CALL_TABLE_ADDR + CALL_TABLE_SIZE);
}

bool sites_behind(void)
{
	static u32 caught_up; /* with so many of the family's sites */
	u32 total = sites_total();

	if (caught_up == total)
		return false;
	caught_up = total;
	return true;
}

/* ---- for the architecture */

bool text_mapped(u64 addr, u64 len)
{
	struct vma *v = mm_find(current->proc->mm, addr);

	return v && addr + len <= v->end && is_text(v);
}

/*
 * Another thread of the member that stopped inside the bytes to be displaced would go on in the
 * middle of the jump.
 */
bool text_thread_inside(u64 from, u64 to)
{
	struct thread *t;

	LIST_FOREACH (t, &current->proc->threads, sibling) {
		u64 ip = frame_ip(thread_frame(t));

		if (t != current && ip >= from && ip < to)
			return true;
	}
	return false;
}

void text_site_found(u64 after, u32 nr)
{
	struct vma *v = mm_find(current->proc->mm, after - ARCH_CALL_BYTES);

	if (!v)
		return;
	v->flags |= VMA_RUNS;
	if (v->file && !v->object)
		sites_note(v->file, v->offset + (after - v->start), nr);
}
