/* SPDX-License-Identifier: ISC */
/*
 * Small objects in kin: pages cut into objects of one size, a bitmap in the page saying which are
 * used.
 *
 * Death: taking or giving back an object is one store to that bitmap; a slab enters and leaves
 * its class's list by one store to a next pointer. Everything else (list of partial slabs, back
 * pointers, counts) is rebuilt from these when the class's lock is recovered, so a dead member
 * costs at most the objects it had not yet linked anywhere. Order: a class's lock before
 * page_lock.
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
	struct slab *s = kin_pages_alloc_raw(1);

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->magic = SLAB_MAGIC;
	s->class = c - ROOT->classes;
	s->nfree = c->per_slab;
	s->next = c->all;
	publish(&c->all, s);
	if (s->next)
		s->next->prev = s;
	partial_add(c, s);
	c->empty++;
	return s;
}

static void slab_unlink(struct slab_class *c, struct slab *s)
{
	if (s->prev)
		publish(&s->prev->next, s->next);
	else
		publish(&c->all, s->next);
	if (s->next)
		s->next->prev = s->prev;
	partial_remove(s);
	s->magic = 0;
}

static void *slab_alloc(struct slab_class *c)
{
	void *p = NULL;

	kin_lock_recover(&c->lock, class_recover, c);
	struct slab *s = c->partial ? c->partial : slab_create(c);
	for (u32 i = 0; s && i < ARRAY_SIZE(s->used) && !p; i++) {
		u32 bit = s->used[i] == ~0ull ? 64 : __builtin_ctzll(~s->used[i]);

		if (bit == 64 || i * 64 + bit >= c->per_slab)
			continue;
		publish(&s->used[i], s->used[i] | 1ull << bit);
		if (s->nfree == c->per_slab)
			c->empty--;
		if (--s->nfree == 0)
			partial_remove(s);
		p = (void *)(slab_first(s, c) + (i * 64 + bit) * c->size);
	}
	kin_unlock(&c->lock);
	return p;
}

static void slab_free(void *p, size_t size)
{
	struct slab *s = (struct slab *)ALIGN_DOWN((u64)p, PAGE_SIZE), *gone = NULL;
	u32 class = class_of(size);
	struct slab_class *c = &ROOT->classes[class];
	u64 offset = (u64)p - slab_first(s, c);
	u64 index = offset / c->size;

	kin_lock_recover(&c->lock, class_recover, c);
	if (s->magic != SLAB_MAGIC || s->class != class || offset % c->size ||
	    index >= c->per_slab || !(s->used[index / 64] >> index % 64 & 1))
		family_fatal("kin: %p, %zu bytes: freed twice, or never given out", p, size);
	publish(&s->used[index / 64], s->used[index / 64] & ~(1ull << index % 64));
	if (++s->nfree == 1)
		partial_add(c, s);
	if (s->nfree == c->per_slab && ++c->empty > 1) {
		c->empty--;
		slab_unlink(c, s);
		gone = s;
	}
	kin_unlock(&c->lock);
	if (gone)
		kin_pages_free(gone, 1);
}

void *kin_alloc(size_t size)
{
	if (size > SLAB_LARGEST)
		return kin_pages_alloc((size + PAGE_SIZE - 1) / PAGE_SIZE);

	u32 class = class_of(size);
	void *p = slab_alloc(&ROOT->classes[class]);

	if (p)
		memset(p, 0, slab_sizes[class]);
	return p;
}

void kin_free(void *p, size_t size)
{
	if (!p)
		return;
	if (size > SLAB_LARGEST)
		kin_pages_free(p, (size + PAGE_SIZE - 1) / PAGE_SIZE);
	else
		slab_free(p, size);
}
