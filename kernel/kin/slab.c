/* SPDX-License-Identifier: ISC */
/*
 * Small objects in kin: pages cut into objects of one size, a bitmap in the page saying which are
 * used.
 *
 * Death: taking or giving back an object is one store to that bitmap; a slab enters and leaves
 * its class's list by one store to a next pointer. Everything else (list of partial slabs, back
 * pointers, counts) is rebuilt from these when the class's lock is recovered. Objects and slabs
 * that are in hand have records (own.h). Order: a class's lock before page_lock.
 */
#include "kernel/kin/root.h"

#include "kernel/lib/lib.h"

#define SLAB_MAGIC 0x62616c736b696eull

struct slab {
	u64 magic;
	u32 class, nfree;
	struct slab *next, *prev;         /* all of the class */
	struct slab *partial, **partial_prev; /* while nfree > 0; partial_prev NULL: not linked */
	u64 used[4];
};

#define SLAB_SPACE (PAGE_SIZE - sizeof(struct slab))

static const u16 slab_sizes[SLAB_CLASSES] = {
	16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 256, 288, 320, 384, 448, 512, 640, 800, 960, 1328,
	2000,
};
#define SLAB_LARGEST 2000

void slabs_init(void)
{
	for (u32 i = 0; i < SLAB_CLASSES; i++) {
		struct slab_class *c = &ROOT->classes[i];

		c->size = slab_sizes[i];
		c->per_slab = SLAB_SPACE / c->size;
	}
}

static u32 class_of(size_t size)
{
	u32 low = 0, high = SLAB_CLASSES - 1;

	while (low < high) {
		u32 middle = (low + high) / 2;

		if (slab_sizes[middle] < size)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * Objects end with the page, so that sizes which are multiples of a cache line are aligned to it.
 */
static inline u64 slab_first(struct slab *s, struct slab_class *c)
{
	return (u64)s + PAGE_SIZE - c->per_slab * c->size;
}

static void partial_add(struct slab_class *c, struct slab *s)
{
	s->partial = c->partial;
	if (s->partial)
		s->partial->partial_prev = &s->partial;
	s->partial_prev = &c->partial;
	c->partial = s;
}

static void partial_remove(struct slab *s)
{
	*s->partial_prev = s->partial;
	if (s->partial)
		s->partial->partial_prev = s->partial_prev;
	s->partial_prev = NULL;
}

static bool class_recover(void *arg)
{
	struct slab_class *c = arg;
	struct slab *prev = NULL;

	c->partial = NULL;
	c->empty = 0;
	for (struct slab *s = c->all; s; prev = s, s = s->next) {
		u32 used = 0;

		if (s->magic != SLAB_MAGIC)
			return false;
		for (u32 i = 0; i < ARRAY_SIZE(s->used); i++)
			used += __builtin_popcountll(s->used[i]);
		s->prev = prev;
		s->partial_prev = NULL;
		s->nfree = c->per_slab - used;
		c->empty += used == 0;
		if (s->nfree)
			partial_add(c, s);
	}
	return true;
}

/* Under the class's lock: a fresh slab, linked. */
static struct slab *slab_create(struct slab_class *c)
{
	struct slab *s = record_self()->own ? own_pages(1, PAGES_RAW) : kin_pages_alloc_raw(1);

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->magic = SLAB_MAGIC;
	s->class = c - ROOT->classes;
	s->nfree = c->per_slab;
	s->next = c->all;
	if (record_self()->own)
		own_give(&c->all, s);
	else
		publish(&c->all, s);
	if (s->next)
		s->next->prev = s;
	partial_add(c, s);
	c->empty++;
	return s;
}

/* In hand afterwards. */
static struct slab *slab_unlink(struct slab_class *c, struct slab *s)
{
	struct slab *next = s->next;

	own_take(OWN_MEMORY, s->prev ? &s->prev->next : &c->all, next);
	if (next)
		next->prev = s->prev;
	partial_remove(s);
	s->magic = 0;
	return s;
}

static void *slab_alloc(struct slab_class *c, bool in_hand)
{
	void *p = NULL;

	kin_lock_recover(&c->lock, class_recover, c);
	struct slab *s = c->partial ? c->partial : slab_create(c);
	for (u32 i = 0; s && i < ARRAY_SIZE(s->used) && !p; i++) {
		u32 bit = s->used[i] == ~0ull ? 64 : __builtin_ctzll(~s->used[i]);
		struct own_record *r = NULL;

		if (bit == 64 || i * 64 + bit >= c->per_slab)
			continue;
		p = (void *)(slab_first(s, c) + (i * 64 + bit) * c->size);
		if (in_hand)
			r = own_begin(OWN_MEMORY, STEP_ALLOCATING, NULL, p);
		publish(&s->used[i], s->used[i] | 1ull << bit);
		if (r)
			publish(&r->step, STEP_IN_HAND);
		if (s->nfree == c->per_slab)
			c->empty--;
		if (--s->nfree == 0)
			partial_remove(s);
	}
	kin_unlock(&c->lock);
	return p;
}

static struct slab *slab_of(const void *p)
{
	return (struct slab *)ALIGN_DOWN((u64)p, PAGE_SIZE);
}

bool slab_is_used(const void *p)
{
	struct slab *s = slab_of(p);
	struct slab_class *c = &ROOT->classes[s->class % SLAB_CLASSES];
	u64 index = ((u64)p - slab_first(s, c)) / c->size;

	return s->magic == SLAB_MAGIC && index < c->per_slab && (s->used[index / 64] >> index % 64 & 1);
}

/* r: the record that has it, or NULL. */
static void slab_free(void *p, struct own_record *r)
{
	struct slab *s = slab_of(p), *gone = NULL;

	if (s->magic != SLAB_MAGIC || s->class >= SLAB_CLASSES)
		family_fatal("kin: %p was freed twice, or never given out", p);
	struct slab_class *c = &ROOT->classes[s->class];
	u64 offset = (u64)p - slab_first(s, c);
	u64 index = offset / c->size;
	kin_lock_recover(&c->lock, class_recover, c);
	if (s->magic != SLAB_MAGIC || offset % c->size || !slab_is_used(p))
		family_fatal("kin: %p was freed twice, or never given out", p);
	publish(&s->used[index / 64], s->used[index / 64] & ~(1ull << index % 64));
	if (r)
		own_end(r);
	if (++s->nfree == 1)
		partial_add(c, s);
	if (s->nfree == c->per_slab && ++c->empty > 1) {
		c->empty--;
		gone = slab_unlink(c, s);
	}
	kin_unlock(&c->lock);
	if (gone)
		kin_free(gone);
}

static void *alloc(size_t size, bool in_hand)
{
	if (size > SLAB_LARGEST) {
		size_t npages = (size + PAGE_SIZE - 1) / PAGE_SIZE;

		return in_hand ? own_pages(npages, PAGES_ZERO) : kin_pages_alloc(npages);
	}
	u32 class = class_of(size);
	void *p = slab_alloc(&ROOT->classes[class], in_hand);

	if (p)
		memset(p, 0, slab_sizes[class]);
	return p;
}

void *kin_alloc(size_t size)
{
	return alloc(size, false);
}

void *kin_alloc_in_hand(size_t size)
{
	return alloc(size, true);
}

void kin_free(void *p)
{
	struct own_record *r = own_in_hand(p);

	if (!p)
		return;
	if (kin_is_page(p))
		kin_run_free(p, r);
	else
		slab_free(p, r);
}
