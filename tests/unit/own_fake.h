/* SPDX-License-Identifier: ISC */
/*
 * The owners of kernel/kin/own.h for worlds in which nobody dies: slots and counts. Included once,
 * by a file that has defined
 *
 *	void *fake_alloc(size_t size)                        zeroed, or NULL; void fake_free(void *p)
 *	struct kin_ref *fake_ref(enum own_kind kind, void *what)
 *	void fake_gone(enum own_kind kind, void *what)       its last share went
 */
#ifndef TESTS_UNIT_OWN_FAKE_H
#define TESTS_UNIT_OWN_FAKE_H

#include "kernel/kin/own.h"
#include "kernel/lib/lib.h"

static void *fake_holds[32];

void *own_new(enum own_kind kind, size_t size)
{
	return fake_alloc(size);
}

void own_give_to(void **slot, void *what)
{
	*slot = what;
}

void *own_take_from(enum own_kind kind, void **slot, void *next)
{
	void *what = *slot;

	*slot = next;
	return what;
}

void own_free(void *what)
{
	fake_free(what);
}

void ref_get_for(enum own_kind kind, void *what, void **slot)
{
	struct kin_ref *ref = fake_ref(kind, what);

	ref_init(ref, ref_count(ref) + 1);
	*slot = what;
}

void ref_put_of(enum own_kind kind, void **slot)
{
	void *what = *slot;

	if (!what)
		return;
	struct kin_ref *ref = fake_ref(kind, what);
	u32 left = ref_count(ref) - 1;

	*slot = NULL;
	ref_init(ref, left);
	if (!left)
		fake_gone(kind, what);
}

void ref_move_on(enum own_kind kind, void **from, void **to, void *next)
{
	*to = *from;
	*from = next;
}

void ref_move_to(enum own_kind kind, void **from, void **to)
{
	ref_move_on(kind, from, to, NULL);
}

void **hold_of(enum own_kind kind, const void *what)
{
	for (u32 i = 0; i < ARRAY_SIZE(fake_holds); i++)
		if (fake_holds[i] == what)
			return &fake_holds[i];
	return NULL;
}

void **hold_new(enum own_kind kind)
{
	return hold_of(kind, NULL);
}

#endif
