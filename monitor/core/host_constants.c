/* SPDX-License-Identifier: ISC */
/*
 * See the header. Every path is resolved inside the directory that it starts from, and no symbolic
 * or magic link is followed (openat2(2)): a descriptor never leads out of the tree that it is in.
 */
#include <fcntl.h>

#include "monitor/core/host_constants.h"

#define RESOLVE (RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)
#define OPEN_FILE (O_NOCTTY | O_NONBLOCK | O_NOFOLLOW)
#define HOW(open_flags) {.how = {.flags = O_CLOEXEC | (open_flags), .resolve = RESOLVE}}

const struct host_how host_hows[HOST_HOWS] = {
	HOW(O_PATH | O_NOFOLLOW),
	HOW(O_PATH | O_DIRECTORY),
	HOW(O_RDONLY | O_DIRECTORY),
	HOW(O_RDONLY | OPEN_FILE),
	/* From here on for families with a volume that they may write. */
	HOW(O_WRONLY | OPEN_FILE),
	HOW(O_RDWR | OPEN_FILE),
};

const struct host_linger host_lingers[HOST_LINGERS] = {
	{.linger = {.l_onoff = 0}},
	{.linger = {.l_onoff = 1, .l_linger = 0}},
};

const struct host_text host_no_path = {""};

_Static_assert(sizeof(struct host_how) == HOST_CONSTANT_SIZE &&
				   sizeof(struct host_linger) == HOST_CONSTANT_SIZE,
			   "the filter looks at the low bits");

const struct open_how *host_how_find(u64 flags)
{
	for (size_t i = 0; i < HOST_HOWS; i++)
		if (host_hows[i].how.flags == (flags | O_CLOEXEC))
			return &host_hows[i].how;
	return NULL;
}

const struct linger *host_linger_find(const struct linger *wanted)
{
	if (wanted->l_onoff && wanted->l_linger)
		return NULL;
	return &host_lingers[wanted->l_onoff ? 1 : 0].linger;
}
