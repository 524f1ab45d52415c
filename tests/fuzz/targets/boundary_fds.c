/* SPDX-License-Identifier: ISC */
/* See boundary_fds.h. */
#include "boundary_fds.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
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

static void fds_closed(u64 fd)
{
	opened[fd] = false;
	for (u32 i = 0; i < count; i++)
		if (list[i] == fd)
			list[i--] = list[--count];
}

/* Not a socket's file that is open as O_PATH. */
bool fds_is_socket(u64 fd)
{
	socklen_t len = sizeof(int);
	int type;

	return getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
}

/* Of TCP by a reset: no close waits, and no port is taken when the next input wants it. */
void fds_close(u64 fd)
{
	struct linger at_once = {1, 0};

	if (fds_is_socket(fd) &&
		setsockopt((int)fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) < 0)
		finding("socket %llu cannot be closed at once", (unsigned long long)fd);
	if (close((int)fd) < 0)
		finding("descriptor %llu cannot be closed", (unsigned long long)fd);
	fds_closed(fd);
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

/* What a guest may have: files, folders, and sockets of the network that it was granted. */
static bool may_be_handle(int fd)
{
	int domain = AF_UNSPEC;
	socklen_t len = sizeof(domain);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	if (!S_ISSOCK(st.st_mode))
		return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode);
	return family_has_sockets(&world.family) &&
		   getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
		   (domain == AF_INET || domain == AF_INET6);
}

void fds_check(const struct member *m, const char *call)
{
	u64 handles = fds_has((u64)world.family.watch_fd); /* the monitor's own, or its parent's */

	for (u32 i = 0; i < HANDLES_MAX / 64; i++)
		handles += (u64)__builtin_popcountll(m->handles[i]);
	for (u32 i = 0; i < count; i++) {
		if (list[i] == (u32)world.family.watch_fd)
			continue;
		if (list[i] >= HANDLES_MAX || !(m->handles[list[i] / 64] >> (list[i] % 64) & 1))
			finding("%s: descriptor %u was opened and forgotten", call, list[i]);
		if (!may_be_handle((int)list[i]))
			finding("%s: the guest was given descriptor %u", call, list[i]);
	}
	if (handles != count)
		finding("%s: %llu handles, %u descriptors", call, (unsigned long long)handles, count);
}

void fds_forget(void)
{
	while (count)
		fds_close(list[0]);
}

int fds_lowest(void)
{
	int fd = fcntl(world.family.kin_fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0 || close(fd) < 0)
		finding("no descriptor is free");
	return fd;
}
