/* SPDX-License-Identifier: ISC */
/* The loser of a race frees what nobody else has seen; a death before the swap leaks it. */
#include "kernel/kin/claim.h"

#include "kernel/kin/root.h"

void *kin_root_claim(enum kin_root root, size_t size, void (*init)(void *p))
{
	void *p = kin_root_get(root), *found = NULL;

	if (p)
		return p;
	p = kin_alloc(size);
	if (!p)
		return NULL;
	if (init)
		init(p);
	if (atomic_compare_exchange_strong(&ROOT->roots[root], &found, p))
		return p;
	kin_free(p);
	return found;
}
