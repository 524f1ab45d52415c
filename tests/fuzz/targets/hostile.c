/* SPDX-License-Identifier: ISC */
/* See hostile.h. Compiled without trace-loads. */
#include "hostile.h"

#define STORES_MAX 64 /* of one input: then the memory is quiet, so that loops end */

static struct {
	u64 start, end;
	struct input schedule;
	hostile_choose choose;
	u32 loads_left, stores, off;
	bool active;
} hostile;

static void next_time(void)
{
	u8 gap = input_u8(&hostile.schedule);

	/* Short gaps in small steps, so that a mutation moves a store by one load. */
	hostile.loads_left = gap < 128 ? gap : (gap - 127u) * 64u;
	if (!input_left(&hostile.schedule) || hostile.stores >= STORES_MAX)
		hostile.active = false;
}

void hostile_begin(u64 start, u64 end, struct input schedule, hostile_choose choose)
{
	hostile.start = start;
	hostile.end = end;
	hostile.schedule = schedule;
	hostile.choose = choose;
	hostile.stores = 0;
	hostile.off = 0;
	hostile.active = true;
	next_time();
}

void hostile_end(void)
{
	hostile.active = false;
}

void hostile_off(void)
{
	hostile.off++;
}

void hostile_on(void)
{
	hostile.off--;
}

static void store(u64 addr, unsigned size)
{
	u64 v;

	if (!hostile.active || hostile.off || addr < hostile.start || addr + size > hostile.end)
		return;
	if (hostile.loads_left) {
		hostile.loads_left--;
		return;
	}
	v = hostile.choose(&hostile.schedule);
	memcpy((void *)addr, &v, MIN(size, sizeof(v)));
	hostile.stores++;
	next_time();
}

void hostile_moment(void)
{
	u64 at;

	if (!hostile.active || hostile.off || !(input_u8(&hostile.schedule) & 1))
		return;
	input_bytes(&hostile.schedule, &at, 3);
	at = hostile.start + at % (hostile.end - hostile.start - sizeof(u64)) / 4 * 4;
	hostile.loads_left = 0;
	store(at, sizeof(u32));
}

#define LOAD_HOOK(bytes)                          \
	void __sanitizer_cov_load##bytes(void *addr); \
	void __sanitizer_cov_load##bytes(void *addr)  \
	{                                             \
		store((u64)addr, bytes);                  \
	}
LOAD_HOOK(1)
LOAD_HOOK(2)
LOAD_HOOK(4)
LOAD_HOOK(8)
LOAD_HOOK(16)
