/* SPDX-License-Identifier: ISC */
/* What follows from the grants of a family. */
#ifndef MONITOR_CORE_GRANTS_H
#define MONITOR_CORE_GRANTS_H

#include "monitor/core/monitor.h"

/* Does the family have a volume that it may change? */
static inline bool family_writes(const struct family *f)
{
	for (u32 i = 0; i < f->volume_count; i++)
		if (!f->volumes[i].read_only)
			return true;
	return false;
}

/* Has it sockets of the host, made or handed? */
static inline bool family_has_sockets(const struct family *f)
{
	return f->sockets || f->published_count;
}

/* Handles of a member are below that. */
static inline u32 family_handles_max(const struct family *f)
{
	return family_has_sockets(f) ? HANDLES_MAX : HANDLES_OF_FILES;
}

/* Do members get descriptors from the supervisor? */
static inline bool family_takes_gifts(const struct family *f)
{
	return f->volume_count || family_has_sockets(f);
}

#endif
