/* SPDX-License-Identifier: ISC */
/*
 * Mode, owner and times of files on volumes, changed by the supervisor for a member that asks
 * (abi/kin.h). A monitor may not do this itself: Landlock does not cover attributes, and a filter
 * cannot see which file a descriptor means, so a guest of the process backend could change whatever
 * it can open. The file is named through a descriptor that was reached inside the volume without
 * following a symbolic link; for a link it is the link itself.
 *
 * The request comes from kin, which every member can write: the caller passes a copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/core/internal.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

/* fchmodat2 is new in Linux 6.6; before, an O_PATH descriptor is reached through /proc. */
static int mode_set(int fd, mode_t mode)
{
	char path[40];

	if (syscall(SYS_fchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOSYS)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return chmod(path, mode);
}

static int attribute_set(int fd, const struct volume_request *req)
{
	struct timespec times[2];

	switch (req->kind) {
	case VOLUME_SET_MODE: return mode_set(fd, req->mode & 07777);
	case VOLUME_SET_OWNER: return fchownat(fd, "", req->uid, req->gid, AT_EMPTY_PATH);
	case VOLUME_SET_TIMES:
		for (int i = 0; i < 2; i++)
			times[i] = (struct timespec){req->times[i].sec, req->times[i].nsec};
		return (int)syscall(SYS_utimensat, fd, "", times, AT_EMPTY_PATH);
	}
	errno = EINVAL;
	return -1;
}

s64 volume_request_run(const struct family *f, struct volume_request *req)
{
	struct statx stx;
	s64 fd, r;

	req->path[sizeof(req->path) - 1] = 0;
	if (req->tree == 0 || req->tree > f->volume_count || f->volumes[req->tree - 1].read_only)
		return -EROFS;
	fd = tree_resolve(tree_fd(f, req->tree), req->path, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0)
		return fd;
	r = fd_examine(fd, &stx);
	if (r == 0 && attribute_set((int)fd, req) < 0)
		r = -errno;
	close((int)fd);
	return r;
}
