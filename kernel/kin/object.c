/* SPDX-License-Identifier: ISC */
/*
 * Memory objects. The first run_pages pages are one contiguous run that was reserved at creation;
 * the others hang off direct[] and a tree of pages with 512 pointers each, whose height is kept
 * in the low bits of the root pointer.
 *
 * lock: tree, run_pages, present. Order: before the allocator's locks. Death: all pointers to pages
 * are slots of own.h; present is recounted on recovery.
 */
#include "kernel/kin/quota.h"
#include "kernel/kin/root.h"

#include "kernel/host/host.h"
#include "kernel/lib/lib.h"

#define FANOUT 512
#define FANOUT_BITS 9
#define DIRECT 8
#define HEIGHT_MAX 4
#define RESERVE_MAX (1ull << 21) /* pages: 8 GiB in one run, larger objects grow page by page */
#define DISCARD_MIN 64           /* pages of a run that are discarded rather than cleared */

struct kin_object {
	struct kin_ref ref;   /* OWN_OBJECT */
	KIN_LOCK(lock, OBJECT);
	char *run;            /* no lock: constant, and so is run_pages */
	u64 run_pages;        /* no lock: constant */
	struct kin_quota *quota; /* or NULL; no lock: constant before the first page */
	u64 present;          /* lock: pages outside the run */
	u64 tree;             /* lock: address of the top node | height; 0: empty */
	void *direct[DIRECT]; /* lock */
};

/* What a walk does to the pages in [first, end): free them, or clear them where they are. */
struct object_walk {
	u64 first, end;
	bool clear;
	u64 done;             /* pages met */
	void **pending;       /* slots in a row with contiguous pages, to be freed together */
	u64 npending;
};

static inline void **tree_node(u64 tree)
{
	return (void **)(tree & PAGE_MASK);
}

static inline u32 tree_height(u64 tree)
{
	return tree & (PAGE_SIZE - 1);
}

static inline u64 tree_span(u32 height)
{
	return 1ull << FANOUT_BITS * height;
}

struct kin_object *object_create(u64 npages)
{
	struct kin_object *o = own_new(OWN_OBJECT, sizeof(*o));
	char *run = NULL;

	if (!o)
		return NULL;
	ref_init(&o->ref, 1);
	if (npages && npages <= RESERVE_MAX)
		run = own_pages(npages, PAGES_DATA);
	if (run) {
		own_give(&o->run, run);
		publish(&o->run_pages, npages);
	}
	return o;
}

void object_bound(struct kin_object *o, struct kin_quota *quota)
{
	o->quota = quota;
}

/* One page more, before it is allocated. */
static bool quota_take(struct kin_quota *q)
{
	if (!q || atomic_fetch_add(&q->pages, 1) < q->pages_max)
		return true;
	atomic_fetch_sub(&q->pages, 1);
	return false;
}

static void quota_give(struct kin_quota *q, u64 pages)
{
	if (q)
		atomic_fetch_sub(&q->pages, pages);
}

static void walk_flush(struct object_walk *w)
{
	if (w->npending)
		own_free(own_take_run(w->pending, w->npending));
	w->npending = 0;
}

static void walk_page(struct object_walk *w, void **slot)
{
	char *page = *slot;

	if (!page)
		return;
	w->done++;
	if (w->clear) {
		memset(page, 0, PAGE_SIZE);
		return;
	}
	if (w->npending && (w->pending + w->npending != slot ||
			    (char *)w->pending[0] + w->npending * PAGE_SIZE != page))
		walk_flush(w);
	if (w->npending++ == 0)
		w->pending = slot;
}

/*
 * Visits what lies under node, whose first page has index base. True: node is empty now and may
 * go.
 */
static bool walk_node(struct object_walk *w, void **node, u32 height, u64 base)
{
	u64 span = tree_span(height - 1);
	bool whole = w->first <= base && base + tree_span(height) <= w->end && !w->clear;
	u64 from = w->first > base ? (w->first - base) / span : 0;

	for (u64 i = from; i < FANOUT && base + i * span < w->end; i++) {
		if (height == 1) {
			walk_page(w, &node[i]);
		} else if (node[i] && walk_node(w, node[i], height - 1, base + i * span)) {
			own_free(own_take(OWN_MEMORY, &node[i], NULL));
		}
	}
	walk_flush(w); /* before the node goes */
	return whole;
}

/* Under o->lock, or by the last holder. */
static void object_walk(struct kin_object *o, struct object_walk *w)
{
	for (u64 i = w->first; i < MIN(w->end, DIRECT); i++)
		walk_page(w, &o->direct[i]);
	walk_flush(w);
	if (o->tree && w->end > DIRECT && walk_node(w, tree_node(o->tree), tree_height(o->tree), 0))
		own_free(own_take_as(OWN_MEMORY, &o->tree));
	if (!w->clear) {
		u64 gone = MIN(o->present, w->done);

		o->present -= gone;
		quota_give(o->quota, gone);
	}
}

static void object_release(void *what)
{
	struct kin_object *o = what;
	struct object_walk all = {.end = ~0ull};

	object_walk(o, &all);
	own_free(own_take(OWN_MEMORY, &o->run, NULL));
}

const struct own_ops object_own_ops = {
	.name = "memory object",
	.ref_at = offsetof(struct kin_object, ref),
	.release = object_release,
};

static u64 count_node(void **node, u32 height)
{
	u64 n = 0;

	for (u32 i = 0; i < FANOUT; i++)
		if (node[i])
			n += height == 1 ? 1 : count_node(node[i], height - 1);
	return n;
}

static bool object_recover(void *arg)
{
	struct kin_object *o = arg;

	o->present = o->tree ? count_node(tree_node(o->tree), tree_height(o->tree)) : 0;
	for (u32 i = 0; i < DIRECT; i++)
		o->present += o->direct[i] != NULL;
	return true;
}

static void object_lock(struct kin_object *o)
{
	kin_lock_recover(&o->lock, object_recover, o);
}

/* Makes the tree high enough for index. */
static bool tree_grow(struct kin_object *o, u64 index)
{
	while (!o->tree || index >= tree_span(tree_height(o->tree))) {
		u32 height = o->tree ? tree_height(o->tree) + 1 : 1;
		void **node = height <= HEIGHT_MAX ? own_pages(1, PAGES_ZERO) : NULL;

		if (!node)
			return false;
		node[0] = tree_node(o->tree);
		own_give_as(&o->tree, node, (u64)node | height);
	}
	return true;
}

/* Where the pointer to page index is kept; *left: slots from it to the end of its array. */
static void **object_slot(struct kin_object *o, u64 index, bool create, u64 *left)
{
	if (index < DIRECT) {
		*left = DIRECT - index;
		return &o->direct[index];
	}
	if (create ? !tree_grow(o, index) : !o->tree || index >= tree_span(tree_height(o->tree)))
		return NULL;
	void **node = tree_node(o->tree);
	for (u32 height = tree_height(o->tree); height > 1; height--) {
		void **slot = &node[index / tree_span(height - 1) % FANOUT];
		void *below = !*slot && create ? own_pages(1, PAGES_DATA) : NULL;

		if (below)
			own_give(slot, below);
		if (!*slot)
			return NULL;
		node = *slot;
	}
	*left = FANOUT - index % FANOUT;
	return &node[index % FANOUT];
}

/* Under o->lock: a zero page, next to its predecessor if that can be. */
static void *object_fill(struct kin_object *o, u64 index, void **slot)
{
	u64 left;
	void **before = index > o->run_pages ? object_slot(o, index - 1, false, &left) : NULL;
	char *page = before && *before ? (char *)*before + PAGE_SIZE : NULL;

	if (!quota_take(o->quota))
		return NULL;
	if (!page || !own_page_at(page))
		page = own_pages(1, PAGES_DATA);
	if (!page) {
		quota_give(o->quota, 1);
	} else {
		own_give(slot, (void *)page);
		o->present++;
	}
	return page;
}

void *object_page(struct kin_object *o, u64 index, bool create, u64 *run)
{
	void *page = NULL;
	u64 n = 1, left;

	object_lock(o);
	if (index < o->run_pages) {
		page = o->run + index * PAGE_SIZE;
		n = o->run_pages - index;
	} else {
		void **slot = object_slot(o, index, create, &left);

		page = slot ? *slot : NULL;
		if (slot && !page && create)
			page = object_fill(o, index, slot);
		while (page && n < left && slot[n] == (char *)page + n * PAGE_SIZE)
			n++;
	}
	kin_unlock(&o->lock);
	if (run)
		*run = n;
	return page;
}

/*
 * Pages of [first, end) read as zero afterwards. They are freed if the caller's is the only
 * reference: then nobody maps them, and a later mapping asks object_page, which waits for our
 * lock. Those of the run stay the object's, but large parts go back to the host.
 */
static void object_drop(struct kin_object *o, u64 first, u64 end)
{
	struct object_walk w = {.first = first, .end = end};
	u64 run_end = MIN(end, o->run_pages);

	object_lock(o);
	w.clear = ref_count(&o->ref) > 1;
	object_walk(o, &w);
	kin_unlock(&o->lock);

	if (first >= run_end)
		return;
	if (run_end - first >= DISCARD_MIN)
		host_kin_discard((u64)o->run + first * PAGE_SIZE - KIN_BASE,
				 (run_end - first) * PAGE_SIZE);
	else
		memset(o->run + first * PAGE_SIZE, 0, (run_end - first) * PAGE_SIZE);
}

void object_truncate(struct kin_object *o, u64 npages)
{
	object_drop(o, npages, ~0ull);
}

void object_punch(struct kin_object *o, u64 first, u64 n)
{
	object_drop(o, first, first + n);
}

u64 object_pages(struct kin_object *o)
{
	return o->run_pages + o->present;
}

u32 object_refs(const struct kin_object *o)
{
	return ref_count(&o->ref);
}
