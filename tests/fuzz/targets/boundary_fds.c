/* SPDX-License-Identifier: ISC */
/* See boundary_fds.h. */
#include "boundary_fds.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "world.h"

#define FDS_MAX 4096

static bool opened[FDS_MAX];
static u32 list[FDS_MAX], count;

void fds_opened(s64 fd)
{
	if (fd < 0 || fd >= FDS_MAX)
		return;
	if (opened[fd])
		finding("descriptor %lld was opened twice", (long long)fd);
	opened[fd] = true;
	list[count++] = (u32)fd;
}

void fds_closed(u64 fd)
{
	opened[fd] = false;
	for (u32 i = 0; i < count; i++)
		if (list[i] == fd)
			list[i--] = list[--count];
}

bool fds_has(u64 fd)
{
	return fd < FDS_MAX && opened[fd];
}

enum place fds_place(u64 fd)
{
	static const struct {
		const char *name;
		enum place place;
	} places[] = {{"/root", PLACE_ROOT}, {"/vol", PLACE_VOLUME}, {"/read", PLACE_READ}};
	size_t base = strlen(world.base);
	char link[64], path[4096];

	snprintf(link, sizeof(link), "/proc/self/fd/%llu", (unsigned long long)fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return PLACE_ELSEWHERE;
	path[n] = 0;
	if (strncmp(path, world.base, base) != 0)
		return PLACE_ELSEWHERE;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		size_t len = strlen(places[i].name);
		char next = path[base + len];

		if (!strncmp(path + base, places[i].name, len) && (!next || next == '/'))
			return places[i].place;
	}
	return PLACE_ELSEWHERE;
}

void fds_check(const struct member *m, const char *call)
{
	u64 handles = 0;
	struct stat st;

	for (u32 i = 0; i < HANDLES_MAX / 64; i++)
		handles += (u64)__builtin_popcountll(m->handles[i]);
	for (u32 i = 0; i < count; i++) {
		if (list[i] >= HANDLES_MAX || !(m->handles[list[i] / 64] >> (list[i] % 64) & 1))
			finding("%s: descriptor %u was opened and forgotten", call, list[i]);
		if (fstat((int)list[i], &st) < 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
			finding("%s: the guest was given a file of mode %o", call, st.st_mode);
	}
	if (handles != count)
		finding("%s: %llu handles, %u descriptors", call, (unsigned long long)handles, count);
}

void fds_forget(void)
{
	while (count) {
		u32 fd = list[0];

		close((int)fd);
		fds_closed(fd);
	}
}
