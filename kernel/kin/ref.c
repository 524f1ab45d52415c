/* SPDX-License-Identifier: ISC */
/*
 * Counts of owners that a death leaves right (own.h). The word of a count has room for a mark:
 * which record of which member changed it last, and that record's serial number. Before somebody
 * else overwrites a mark he tells the marked member, in done, that its change was made. So whether
 * a record's change was made can be said at any time later: the mark is there, or done says so. A
 * member that does nothing at the same time as others finds its own marks only, and tells nobody.
 *
 * An object is still there whenever this is asked: as long as the change was not made, the share
 * that it is about is counted; once it was made and others have changed the count since, done is
 * enough and the object is not looked at; and if nobody has, nobody has released it either.
 */
#include "kernel/kin/own.h"

#include "kernel/arch/arch.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"

#define COUNT_MASK ((1ull << REF_BITS) - 1)
#define INDEX_SHIFT (REF_BITS + REF_SERIAL_BITS)
#define MEMBER_SHIFT (INDEX_SHIFT + 4)
_Static_assert(OWN_RECORDS <= 16 && MEMBERS_MAX <= 1u << (64 - MEMBER_SHIFT), "a mark is 38 bits");

static struct kin_ref *ref_of(const struct own_record *r)
{
	return (struct kin_ref *)((char *)r->what + own_kinds[r->kind]->ref_at);
}

static u64 mark_of(u32 member, const struct own_record *r)
{
	u64 index = (u64)(r - ROOT->members[member].own->record);

	return (u64)member << MEMBER_SHIFT | index << INDEX_SHIFT | (u64)r->serial << REF_BITS;
}

/* Serial numbers go round: which is the later of two is decided by the shorter way. */
bool ref_later(u32 a, u32 b)
{
	u32 ahead = (a - b) & REF_SERIAL_MASK;

	return ahead && ahead <= REF_SERIAL_MASK / 2;
}

/* What this member has done is done, unless the change is made in the middle of another. */
static void tell(u64 word)
{
	u32 serial = (u32)(word >> REF_BITS) & REF_SERIAL_MASK;
	u32 member = (u32)(word >> MEMBER_SHIFT);
	u32 index = (u32)(word >> INDEX_SHIFT) & 0xf;

	if (!serial) /* nobody's: it is new */
		return;
	if (member == BOOT_INFO->member && !own_doing(index, serial))
		return;
	_Atomic u32 *done = &ROOT->members[member].own->done[index];
	u32 was = atomic_load_explicit(done, memory_order_relaxed);
	while (ref_later(serial, was) && !atomic_compare_exchange_weak(done, &was, serial))
		;
}

u32 ref_change(struct own_record *r, s32 by)
{
	struct kin_ref *ref = ref_of(r);
	u64 mark = mark_of(BOOT_INFO->member, r), now;
	u64 word = atomic_load_explicit(&ref->word, memory_order_relaxed);

	do {
		tell(word);
		now = mark | ((word + (u64)(s64)by) & COUNT_MASK);
	} while (!atomic_compare_exchange_weak(&ref->word, &word, now));
	if ((by < 0 && !(word & COUNT_MASK)) || (by > 0 && !(now & COUNT_MASK)))
		family_fatal("%s at %p: more owners go than came, or too many", own_kinds[r->kind]->name,
					 r->what);
	return (u32)(now & COUNT_MASK);
}

bool ref_raise_unless_gone(struct own_record *r)
{
	struct kin_ref *ref = ref_of(r);
	u64 mark = mark_of(BOOT_INFO->member, r);
	u64 word = atomic_load(&ref->word);

	do {
		if (!(word & COUNT_MASK))
			return false;
		tell(word);
	} while (!atomic_compare_exchange_weak(&ref->word, &word,
										   mark | ((word + 1) & COUNT_MASK)));
	return true;
}

static bool told(u32 member, const struct own_record *r)
{
	const struct own_records *own = ROOT->members[member].own;

	return atomic_load(&own->done[r - own->record]) == r->serial;
}

/*
 * Others may change the count at this moment: they tell first and put their mark second, so the
 * mark is looked at first and asked about second. The other way round somebody may do both between
 * the two looks. If the object is gone meanwhile, its memory says anything, and the second look is
 * the answer: done says so then.
 */
bool ref_changed(u32 member, const struct own_record *r)
{
	return told(member, r) ||
		   (atomic_load(&ref_of(r)->word) & ~COUNT_MASK) == mark_of(member, r) ||
		   told(member, r);
}

bool ref_is_last(u32 member, const struct own_record *r)
{
	return !told(member, r) && ref_count(ref_of(r)) == 0 && !told(member, r);
}
