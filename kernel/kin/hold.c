/* SPDX-License-Identifier: ISC */
/*
 * Holds: slots of a member for what its calls in progress own (own.h). They lie on pages that the
 * member's record lists, which only grow while it lives.
 */
#include "kernel/kin/own.h"

#include "kernel/arch/arch.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"

static u32 hint; /* private: the slot that was filled last; what is needed next is near it */

static void **found(struct kin_hold *h, u32 at)
{
	hint = at;
	return &h->what;
}

void **hold_new(enum own_kind kind)
{
	struct member_record *r = record_self();
	struct hold_page *page;

	_Static_assert(sizeof(struct hold_page) <= PAGE_SIZE, "holds must fit a page");
	for (page = r->holds; page; page = page->next)
		for (u32 i = 0; i < HOLDS_PER_PAGE; i++) {
			u32 at = (hint + i) % HOLDS_PER_PAGE;

			if (!page->hold[at].what) {
				page->hold[at].kind = kind;
				return found(&page->hold[at], at);
			}
		}
	page = own_pages(1, PAGES_LAST);
	if (!page)
		family_fatal("kin is full: no room for what a call holds");
	page->next = r->holds;
	own_give(&r->holds, page);
	page->hold[0].kind = kind;
	return found(&page->hold[0], 0);
}

static inline void **hold_at(struct hold_page *page, u32 at, enum own_kind kind, const void *what)
{
	struct kin_hold *h = &page->hold[at];

	return h->what == what && h->kind == kind ? found(h, at) : NULL;
}

/* What was filled last is put first as a rule, but not always: both ways from there. */
void **hold_of(enum own_kind kind, const void *what)
{
	for (struct hold_page *page = record_self()->holds; page; page = page->next)
		for (u32 i = 0, up = hint, down = hint; i <= HOLDS_PER_PAGE / 2; i++) {
			void **slot = hold_at(page, down, kind, what);

			if (!slot)
				slot = hold_at(page, up, kind, what);
			if (slot)
				return slot;
			up = up + 1 == HOLDS_PER_PAGE ? 0 : up + 1;
			down = down ? down - 1 : HOLDS_PER_PAGE - 1;
		}
	return NULL;
}

static void drop(struct kin_hold *h, bool only_counts)
{
	enum own_kind kind = (enum own_kind)h->kind;

	if (!h->what || own_kinds[kind]->only_counts != only_counts)
		return;
	if (own_kinds[kind]->ref_at == OWN_NO_REF)
		own_free(own_take(kind, &h->what, NULL));
	else
		ref_put(kind, &h->what);
}

void holds_bury(u32 member)
{
	struct member_record *r = &ROOT->members[member];
	struct hold_page *page;

	for (page = r->holds; page; page = page->next)
		for (u32 i = 0; i < HOLDS_PER_PAGE; i++)
			drop(&page->hold[i], true);
	for (page = r->holds; page; page = page->next)
		for (u32 i = 0; i < HOLDS_PER_PAGE; i++)
			drop(&page->hold[i], false);
	while ((page = r->holds))
		own_free(own_take(OWN_MEMORY, &r->holds, page->next));
}
