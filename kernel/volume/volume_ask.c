/* SPDX-License-Identifier: ISC */
/*
 * What the supervisor does for this member on volumes (abi/kin.h, struct volume_request): names,
 * attributes, files without a name. How it is asked: kernel/vfs/keeper.c.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/lib/lib.h"
#include "kernel/vfs/keeper.h"
#include "kernel/volume/volume.h"

s64 volume_ask_mode(u32 tree, const char *path, u32 mode)
{
	struct volume_request *req = request_begin(VOLUME_SET_MODE, tree, path, NULL);

	if (!req)
		return -ENOSPC;
	req->mode = mode;
	return request_run(req);
}

s64 volume_ask_owner(u32 tree, const char *path, u32 uid, u32 gid)
{
	struct volume_request *req = request_begin(VOLUME_SET_OWNER, tree, path, NULL);

	if (!req)
		return -ENOSPC;
	req->uid = uid;
	req->gid = gid;
	return request_run(req);
}

s64 volume_ask_times(u32 tree, const char *path, const s64 *times)
{
	struct volume_request *req = request_begin(VOLUME_SET_TIMES, tree, path, NULL);

	if (!req)
		return -ENOSPC;
	for (u32 i = 0; i < 2; i++) {
		req->times[i].sec = times[2 * i];
		req->times[i].nsec = times[2 * i + 1];
	}
	return request_run(req);
}

/* The owner from the first moment on; the host takes the group of a set-group-ID directory. */
static void owner_set(struct volume_request *req, u32 mode)
{
	req->mode = mode;
	req->uid = cred_uid();
	req->gid = cred_gid();
}

s64 volume_ask_make(u32 tree, const char *path, u32 mode)
{
	struct volume_request *req = request_begin(VOLUME_MAKE, tree, path, NULL);

	if (!req)
		return -ENOSPC;
	owner_set(req, mode);
	return S_ISREG(mode) ? request_run_receive(req) : request_run(req);
}

s64 volume_ask_symlink(u32 tree, const char *path, const char *target)
{
	struct volume_request *req = request_begin(VOLUME_SYMLINK, tree, path, target);

	if (!req)
		return -ENOSPC;
	owner_set(req, S_IFLNK | 0777);
	return request_run(req);
}

s64 volume_ask_tmpfile(u32 tree, const char *path, u32 mode, bool exclusive)
{
	struct volume_request *req = request_begin(VOLUME_TMPFILE, tree, path, NULL);

	if (!req)
		return -ENOSPC;
	owner_set(req, mode);
	req->flags = exclusive ? O_EXCL : 0;
	return request_run_receive(req);
}

s64 volume_ask_link(u32 tree, const char *path, const char *new_path)
{
	struct volume_request *req = request_begin(VOLUME_LINK, tree, path, new_path);

	return req ? request_run(req) : -ENOSPC;
}

s64 volume_ask_name(u32 tree, const char *path, int handle)
{
	struct volume_request *req = request_begin(VOLUME_NAME, tree, path, NULL);

	if (!req)
		return -ENOSPC;
	req->handle = handle;
	return request_run(req);
}

s64 volume_ask_unlink(u32 tree, const char *path, u32 flags)
{
	struct volume_request *req = request_begin(VOLUME_UNLINK, tree, path, NULL);

	if (!req)
		return -ENOSPC;
	req->flags = flags;
	return request_run(req);
}

s64 volume_ask_rename(u32 tree, const char *path, const char *new_path, u32 flags)
{
	struct volume_request *req = request_begin(VOLUME_RENAME, tree, path, new_path);

	if (!req)
		return -ENOSPC;
	req->flags = flags;
	return request_run(req);
}
