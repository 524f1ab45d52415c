/* SPDX-License-Identifier: ISC */
/*
 * Pages of kin. One bit per page says used, one says dirty (handed out since it was last given
 * back to the host). Runs are found first fit from a hint per size, so kin stays compact, and
 * grow into untouched pages above high_page.
 *
 * An allocation knows its size: all pages in use would be dirty, so for them the dirty bit says
 * something else: clear: the next page belongs to the same allocation.
 *
 * Death: every change of the bitmaps is a single store per word, and a page is marked used before
 * anybody can reach it and free after nobody can. A change of several words is written down in a
 * record (own.h), and who takes over page_lock from the dead marks all those pages as free; the
 * counts are recomputed.
 */
#include "kernel/arch/arch_hooks.h"
#include "kernel/kin/root.h"

#include "kernel/arch/arch.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"

#define ROOT_MAGIC 0x746f6f726e696bull
#define DIRTY_HIGH 8192    /* free dirty pages at which memory goes back to the host, */
#define DIRTY_LOW 4096     /* in batches, down to this many */
#define TRIM_BATCH 2048    /* pages of one batch */
#define DIRECT_DISCARD 256 /* a freed run of so many pages goes back at once */
#define NO_RUN (~0ull)
/*
 * Pages that are left free: a waiter page and a hold page for each member there can be; the same
 * again and more for the kernel's other structures.
 */
#define LEAVE_LAST MIN(2ull * MEMBERS_MAX, KIN_PAGES / 32)
#define LEAVE_FOR_KERNEL (4 * LEAVE_LAST)

static bool attached; /* private: this VM, or the one it was cloned from, has kin mapped */

static inline u64 *used_words(void)
{
	return (u64 *)KIN_USED_ADDR;
}

static inline _Atomic u64 *dirty_words(void)
{
	return (_Atomic u64 *)KIN_DIRTY_ADDR;
}

static inline u64 page_index(const void *p)
{
	return ((u64)p - KIN_BASE) / PAGE_SIZE;
}

static inline void *page_address(u64 page)
{
	return (void *)(KIN_BASE + page * PAGE_SIZE);
}

/* The bits of [first, first + n) that lie in first's word. */
static inline u64 word_mask(u64 first, u64 n)
{
	u64 bit = first % 64, count = MIN(n, 64 - bit);

	return (count == 64 ? ~0ull : (1ull << count) - 1) << bit;
}

static void used_set(u64 first, u64 n, bool used)
{
	for (u64 page = first, end = first + n; page < end; page = ALIGN_DOWN(page, 64) + 64) {
		u64 *word = &used_words()[page / 64];
		u64 mask = word_mask(page, end - page), old = *word;

		if (!used && (old & mask) != mask)
			family_fatal("kin: pages at %p were freed twice", page_address(page));
		/* page_lock is held: the only writer. */
		publish(word, used ? old | mask : old & ~mask);
	}
}

/* Changes the dirty bits of pages in our hands; how many were set before. */
static u64 dirty_set(u64 first, u64 n, bool dirty)
{
	u64 were = 0;

	for (u64 page = first, end = first + n; page < end; page = ALIGN_DOWN(page, 64) + 64) {
		_Atomic u64 *word = &dirty_words()[page / 64];
		u64 mask = word_mask(page, end - page), old = atomic_load(word) & mask;

		were += __builtin_popcountll(old);
		if (dirty && old != mask)
			atomic_fetch_or(word, mask);
		else if (!dirty && old)
			atomic_fetch_and(word, ~mask);
	}
	return were;
}

static inline bool page_dirty(u64 page)
{
	return atomic_load_explicit(&dirty_words()[page / 64], memory_order_relaxed) >> page % 64 & 1;
}

static u32 hint_class(u64 n)
{
	return n == 1 ? 0 : n <= 16 ? 1 : n <= 256 ? 2 : 3;
}

/*
 * The first run of n free pages that begins in or above that word; pages above high_page are
 * free.
 */
static u64 run_find(u64 word, u64 n)
{
	u64 limit = ALIGN_UP(atomic_load(&ROOT->high_page), 64) / 64, start = 0, len = 0;

	for (; word < limit; word++) {
		u64 used = used_words()[word];

		if (used == ~0ull) {
			len = 0;
			continue;
		}
		for (u64 bit = 0; bit < 64;) {
			u64 rest = used >> bit;

			if (rest & 1) {
				bit += __builtin_ctzll(~rest);
				len = 0;
				continue;
			}
			u64 zeros = rest ? (u64)__builtin_ctzll(rest) : 64 - bit;

			if (len == 0)
				start = word * 64 + bit;
			len += zeros;
			bit += zeros;
			if (len >= n)
				return start;
		}
	}
	if (len == 0)
		start = word * 64;
	return start + n <= KIN_PAGES ? start : NO_RUN;
}

/* What the dead was marking as used, or as free, is free. */
static void marks_recover(u32 dead)
{
	struct own_records *own = ROOT->members[dead].own;

	/* Those of a new life of the record are at no such step: that takes the lock. */
	for (u32 i = 0; own && i < OWN_RECORDS; i++) {
		struct own_record *r = &own->record[i];
		u64 first = page_index(r->what), end = first + r->pages;

		if (!r->what || !kin_is_page(r->what) ||
		    (r->step != STEP_ALLOCATING && r->step != STEP_FREEING))
			continue;
		dirty_set(first, r->pages, true);
		for (u64 page = first; page < end; page = ALIGN_DOWN(page, 64) + 64)
			publish(&used_words()[page / 64],
				used_words()[page / 64] & ~word_mask(page, end - page));
		publish(&r->what, NULL);
	}
}

static bool pages_recover(void *arg)
{
	marks_recover(kin_lock_dead());
	u64 used = 0, limit = ALIGN_UP(atomic_load(&ROOT->high_page), 64) / 64;

	for (u64 word = ROOT->first_page / 64; word < limit; word++)
		used += __builtin_popcountll(used_words()[word]);
	ROOT->pages_used = used - ROOT->first_page % 64;
	for (u32 i = 0; i < RUN_HINTS; i++)
		ROOT->hint[i] = ROOT->first_page / 64;
	return true;
}

static void pages_lock(void)
{
	kin_lock_recover(&ROOT->page_lock, pages_recover, NULL);
}

void kin_pages_settle(void)
{
	pages_lock();
	kin_unlock(&ROOT->page_lock);
}

bool kin_is_page(const void *p)
{
	return (u64)p % PAGE_SIZE == 0;
}

bool kin_is_used(const void *p)
{
	u64 page = page_index(p);

	if (!kin_is_page(p))
		return slab_is_used(p);
	return used_words()[page / 64] >> page % 64 & 1;
}

/* The pages of the allocation that begins with that one. */
static u64 run_length(u64 first)
{
	u64 n = 1;

	while (!page_dirty(first + n - 1))
		n++;
	return n;
}

/* Under page_lock. high_page goes up before the bits are set, so that recovery sees them. */
static void pages_mark(u64 first, u64 n)
{
	if (first + n > atomic_load(&ROOT->high_page))
		atomic_store(&ROOT->high_page, first + n);
	used_set(first, n, true);
	ROOT->pages_used += n;
	atomic_store(&KIN->stats.kin_pages, ROOT->pages_used);
	if (ROOT->pages_used > atomic_load(&KIN->stats.kin_pages_peak))
		atomic_store(&KIN->stats.kin_pages_peak, ROOT->pages_used);
}

/* The pages are ours: make them dirty, and zero where they were. */
static void pages_prepare(u64 first, u64 n, bool zero)
{
	if (zero && n >= DIRECT_DISCARD && kin_locks_held() == 0) {
		u64 were = dirty_set(first, n, false);

		if (were) {
			host_kin_discard(first * PAGE_SIZE, n * PAGE_SIZE);
			atomic_fetch_sub(&ROOT->dirty_free, were);
		}
		dirty_set(first + n - 1, 1, true);
		return;
	}
	for (u64 page = first; zero && page < first + n; page++)
		if (page_dirty(page))
			memset(page_address(page), 0, PAGE_SIZE);
	u64 were = dirty_set(first, n, true);
	if (were)
		atomic_fetch_sub(&ROOT->dirty_free, were);
	if (n > 1)
		dirty_set(first, n - 1, false);
}

/*
 * --memory: data in kin (files, shared memory) takes at most three quarters of it; then Linux's
 * ENOSPC or ENOMEM. The kernel's structures and what fills pipes take at most seven eighths, so
 * that the call that wants more fails, and nobody is killed who has nothing. The supervisor watches
 * over the rest.
 */
static bool limit_allows(u64 n, u64 leave)
{
	u64 limit = KIN->memory_limit / PAGE_SIZE;

	return !limit || !leave ||
	       ROOT->pages_used + n <= limit - limit / (leave == LEAVE_FOR_KERNEL ? 4 : 8);
}

/* Under page_lock. */
static bool room_for(u64 n, u64 leave)
{
	if (!limit_allows(n, leave))
		return false;
	return ROOT->pages_used + n + leave <= KIN_PAGES - ROOT->first_page;
}

/* How pages are wanted. */
enum { TAKE_ZERO = 1, TAKE_IN_HAND = 2 };

static void *pages_take(size_t npages, u32 how, u64 leave)
{
	u32 hint = hint_class(npages);
	struct own_record *r = NULL;

	if (npages == 0 || npages > KIN_PAGES)
		return NULL;
	pages_lock();
	u64 first = room_for(npages, leave) ? run_find(ROOT->hint[hint], npages) : NO_RUN;
	if (first == NO_RUN && room_for(npages, leave))
		first = run_find(ROOT->first_page / 64, npages);
	if (first == NO_RUN) {
		kin_unlock(&ROOT->page_lock);
		return NULL;
	}
	if (npages == 1 || npages == 16 || npages == 256)
		ROOT->hint[hint] = first / 64;
	if (how & TAKE_IN_HAND)
		r = own_begin_pages(STEP_ALLOCATING, page_address(first), npages);
	pages_mark(first, npages);
	if (r)
		publish(&r->step, STEP_IN_HAND);
	kin_unlock(&ROOT->page_lock);
	pages_prepare(first, npages, how & TAKE_ZERO);
	return page_address(first);
}

void *kin_pages_alloc(size_t npages)
{
	return pages_take(npages, TAKE_ZERO, LEAVE_LAST);
}

void *kin_pages_alloc_raw(size_t npages)
{
	return pages_take(npages, 0, LEAVE_LAST);
}

void *kin_pages_alloc_data(size_t npages)
{
	return pages_take(npages, TAKE_ZERO, LEAVE_FOR_KERNEL);
}

void *kin_pages_alloc_last(size_t npages)
{
	return pages_take(npages, TAKE_ZERO, 0);
}

void *own_pages(size_t npages, enum own_pages_for what_for)
{
	u64 leave = what_for == PAGES_DATA ? LEAVE_FOR_KERNEL : what_for == PAGES_LAST ? 0 : LEAVE_LAST;

	return pages_take(npages, TAKE_IN_HAND | (what_for == PAGES_RAW ? 0 : TAKE_ZERO), leave);
}

bool own_page_at(void *p)
{
	u64 page = page_index(p);
	struct own_record *r;
	bool ok = false;

	if ((u64)p < KIN_DATA_ADDR || page >= KIN_PAGES)
		return false;
	pages_lock();
	if (room_for(1, LEAVE_FOR_KERNEL) && !(used_words()[page / 64] >> page % 64 & 1)) {
		r = own_begin_pages(STEP_ALLOCATING, p, 1);
		pages_mark(page, 1);
		publish(&r->step, STEP_IN_HAND);
		ok = true;
	}
	kin_unlock(&ROOT->page_lock);
	if (ok)
		pages_prepare(page, 1, true);
	return ok;
}

/* r: the record that has them, or NULL. */
static void pages_release(u64 first, u64 n, struct own_record *r)
{
	u64 word = first / 64, low = ROOT->first_page / 64;

	pages_lock();
	if (r) {
		r->pages = n;
		publish(&r->step, STEP_FREEING);
	}
	used_set(first, n, false);
	if (r)
		own_end(r);
	ROOT->pages_used -= n;
	atomic_store(&KIN->stats.kin_pages, ROOT->pages_used);
	ROOT->hint[0] = MIN(ROOT->hint[0], word);
	for (u32 i = 1; i < RUN_HINTS; i++) /* the run may begin in the word before */
		ROOT->hint[i] = MIN(ROOT->hint[i], MAX(word - 1, low));
	kin_unlock(&ROOT->page_lock);
}

/* Under page_lock: the next run of free dirty pages at or above page, at most a batch. */
static u64 trim_find(u64 page, u64 *n)
{
	u64 limit = atomic_load(&ROOT->high_page), first = NO_RUN;

	for (; page < limit; page++) {
		u64 word = page / 64;
		u64 candidates = ~used_words()[word] & atomic_load(&dirty_words()[word]);

		if (first == NO_RUN && candidates == 0) {
			page |= 63;
			continue;
		}
		if (candidates >> page % 64 & 1) {
			if (first == NO_RUN)
				first = page;
			if (page + 1 - first == TRIM_BATCH) {
				page++;
				break;
			}
		} else if (first != NO_RUN) {
			break;
		}
	}
	*n = first == NO_RUN ? 0 : MIN(page, limit) - first;
	return first;
}

/*
 * Gives free memory back to the host. While a batch is being punched it is marked used, so nobody
 * can be handed a page that is about to lose its content. Called without kin locks.
 */
static void pages_trim(void)
{
	u64 page = ROOT->first_page, n;

	while (atomic_load(&ROOT->dirty_free) > DIRTY_LOW) {
		pages_lock();
		u64 first = trim_find(page, &n);
		if (n)
			pages_mark(first, n);
		kin_unlock(&ROOT->page_lock);
		if (n == 0)
			break;
		host_kin_discard(first * PAGE_SIZE, n * PAGE_SIZE);
		atomic_fetch_sub(&ROOT->dirty_free, dirty_set(first, n, false));
		pages_release(first, n, NULL);
		page = first + n;
	}
	if (page != ROOT->first_page && atomic_load(&ROOT->dirty_free) > DIRTY_HIGH)
		atomic_store(&ROOT->dirty_free, 0); /* the count drifted: members died between steps */
}

static void pages_free(u64 first, u64 n, struct own_record *r)
{
	if (n >= DIRECT_DISCARD && kin_locks_held() == 0) {
		host_kin_discard(first * PAGE_SIZE, n * PAGE_SIZE);
		dirty_set(first, n, false);
		pages_release(first, n, r);
		return;
	}
	if (n > 1)
		dirty_set(first, n, true);
	atomic_fetch_add(&ROOT->dirty_free, n);
	pages_release(first, n, r);
	if (atomic_load(&ROOT->dirty_free) > DIRTY_HIGH && kin_locks_held() == 0)
		pages_trim();
}

void kin_pages_free(void *p, size_t npages)
{
	u64 first = page_index(p);

	if ((u64)p % PAGE_SIZE || (u64)p < KIN_DATA_ADDR || first + npages > KIN_PAGES || !npages)
		family_fatal("kin: freed pages at %p that it never gave out", p);
	pages_free(first, npages, NULL);
}

void kin_run_free(void *p, struct own_record *r)
{
	u64 first = page_index(p);

	if ((u64)p < KIN_DATA_ADDR || first >= KIN_PAGES || !kin_is_used(p))
		family_fatal("kin: freed pages at %p that it never gave out", p);
	u64 n = r && r->pages ? r->pages : run_length(first);
	if (r)
		publish(&r->pages, n); /* it cannot be told any more once it is being freed */
	pages_free(first, n, r);
}

u64 kin_pages_used(void)
{
	return ROOT->pages_used;
}

bool kin_fault(u64 addr)
{
	u64 chunk = ALIGN_DOWN(addr, HUGE_SIZE);

	if (addr < KIN_BASE || addr >= KIN_END)
		return false;
	if (attached && addr >= KIN_DATA_ADDR &&
	    (addr - KIN_BASE) / PAGE_SIZE >= atomic_load(&ROOT->high_page))
		return false;
	return paging->kin_populate(chunk, HUGE_SIZE) == 0;
}

void *kin_root_get(enum kin_root root)
{
	return observe(&ROOT->roots[root]);
}

void kin_root_set(enum kin_root root, void *p)
{
	publish(&ROOT->roots[root], p);
}

void kin_attach(void)
{
	if (attached)
		return; /* a clone has inherited the mappings */
	if (paging->kin_populate(KIN_BASE, ALIGN_UP(KIN_USED_ADDR - KIN_BASE, HUGE_SIZE)) < 0)
		kpanic("kin cannot be mapped");
	if (ROOT->magic != ROOT_MAGIC)
		family_fatal("kin has no root: was it initialised?");
	attached = true;
}

void kin_init(void)
{
	if (paging->kin_populate(KIN_BASE, ALIGN_UP(KIN_USED_ADDR - KIN_BASE, HUGE_SIZE)) < 0)
		kpanic("kin cannot be mapped");
	ROOT->first_page = (KIN_DATA_ADDR - KIN_BASE) / PAGE_SIZE;
	atomic_store(&ROOT->high_page, ROOT->first_page);
	for (u64 page = ALIGN_DOWN(ROOT->first_page, 64); page < ROOT->first_page; page++)
		used_words()[page / 64] |= 1ull << page % 64;
	for (u32 i = 0; i < RUN_HINTS; i++)
		ROOT->hint[i] = ROOT->first_page / 64;
	slabs_init();
	futexes_init();
	ROOT->magic = ROOT_MAGIC;
	attached = true;
	if (own_prepare(BOOT_INFO->member))
		kpanic("no memory for the first member's records");
}
