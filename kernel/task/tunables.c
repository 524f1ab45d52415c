/* SPDX-License-Identifier: ISC */
/* See tunables.h. */
#include "kernel/task/tunables.h"

#include <asm/errno.h>

#include "kernel/kin/claim.h"
#include "kernel/lib/lib.h"

static const struct {
	u64 first, least, most;
} bounds[] = {
#define X(name, first, least, most) [TUNE_##name] = {first, least, most},
	TUNABLES(X)
#undef X
};

struct tunables {
	_Atomic u64 value[TUNABLE_COUNT];
};

static void tunables_init(void *p)
{
	for (u32 i = 0; i < TUNABLE_COUNT; i++)
		((struct tunables *)p)->value[i] = bounds[i].first;
}

u64 tunable_get(enum tunable t)
{
	struct tunables *all = kin_root_get(ROOT_TUNABLES); /* NULL: nobody has tuned yet */

	return all ? all->value[t] : bounds[t].first;
}

s64 tunable_set(enum tunable t, u64 value)
{
	if (value < bounds[t].least || value > bounds[t].most)
		return -EINVAL;
	struct tunables *all = kin_root_claim(ROOT_TUNABLES, sizeof(*all), tunables_init);
	if (!all)
		return -ENOMEM;
	all->value[t] = value;
	return 0;
}
