/* SPDX-License-Identifier: ISC */
/*
 * Keeps the family's known call sites. A site is noted by the member that redirected it, and used
 * by those that map the same file later (redirect.c), which compare the bytes again: a wrong or
 * damaged note costs time and nothing else.
 *
 * The files are a hash table with open addressing: a file is entered with one store when it is
 * filled in, a site with the store of its count. So readers take no lock, and every single store
 * leaves the whole in order; the lock is between writers.
 */
#include <stdatomic.h>

#include "kernel/fd/file.h"
#include "kernel/kin/claim.h"
#include "kernel/mm/call_sites.h"
#include "kernel/vfs/vfs.h"

#define FILES_MAX 256

struct known_sites {
	struct kin_lock lock; /* of those who add; innermost */
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
	return file_ops[f->type]->stat && file_ops[f->type]->stat(f, st) == 0;
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

const struct site_file *sites_of(struct file *f)
{
	struct known_sites *k = kin_root_get(ROOT_SITES);
	struct site_file *_Atomic *slot;
	struct kstat st;

	if (!k || !k->total || !key_of(f, &st))
		return NULL;
	slot = slot_of(k, &st);
	return slot ? atomic_load(slot) : NULL;
}

u32 sites_total(void)
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

void sites_note(struct file *f, u64 offset, u32 nr)
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
		kin_free(fresh, sizeof(*fresh));
}
