/* SPDX-License-Identifier: ISC */
/*
 * What the supervisor does for this member on volumes (abi/kin.h, struct volume_request): names,
 * attributes, files without a name. One request at a time for each member record; what an earlier
 * life of the record asked for is waited for first. Descriptors come through one queue for the
 * whole family, so who wants one holds shelf_lock from the request to the receipt; an owner that
 * died has left at most a descriptor behind, which the next one throws away.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/arch/arch.h"
#include "kernel/hostfs/hostfs_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/volume/volume.h"

#define REQUEST_PATIENCE_NS 1000000000ull

static void request_wait(struct volume_request *req)
{
	u32 self = BOOT_INFO->member;

	if (req->state != VOLUME_REQUEST_ASKED)
		return;
	KIN->request_map[self / 64] |= 1ull << (self % 64);
	host_notify();
	while (req->state == VOLUME_REQUEST_ASKED)
		host_futex_wait(&req->state, VOLUME_REQUEST_ASKED, REQUEST_PATIENCE_NS);
}

/* This member's request, to be filled; NULL: no memory, or a path is too long or missing. */
static struct volume_request *request_begin(u32 kind, u32 tree, const char *path, const char *other)
{
	struct kin_member *m = member_self();
	struct volume_request *req = (struct volume_request *)m->request;

	if (!req) {
		req = own_new(OWN_MEMORY, sizeof(*req));
		if (!req)
			return NULL;
		own_give_as(&m->request, req, (u64)req);
	}
	request_wait(req);
	req->kind = kind;
	req->tree = tree;
	req->flags = 0;
	strlcpy(req->path, path ? path : "", sizeof(req->path));
	strlcpy(req->other, other ? other : "", sizeof(req->other));
	return req;
}

static s64 request_run(struct volume_request *req)
{
	req->state = VOLUME_REQUEST_ASKED;
	request_wait(req);
	return req->result;
}

/* For requests whose answer is a descriptor: the handle. */
static s64 request_run_receive(struct volume_request *req)
{
	kin_lock_recover(&vfs_shared()->shelf_lock, kin_recover_whole, NULL);
	s64 r = request_run(req);
	if (r > 0)
		r = host_vol_receive();
	kin_unlock(&vfs_shared()->shelf_lock);
	return r;
}

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

s64 volume_ask_keep(int handle, const _Atomic u64 *word, u64 value, u32 access)
{
	struct volume_request *req = request_begin(VOLUME_KEEP, 0, NULL, NULL);

	if (!req)
		return -ENOSPC;
	req->handle = handle;
	req->word = (u64)word;
	req->value = value;
	req->access = access;
	return request_run(req);
}

s64 volume_ask_take(const _Atomic u64 *word, u64 value, u32 access)
{
	struct volume_request *req = request_begin(VOLUME_TAKE, 0, NULL, NULL);

	if (!req)
		return -ENOSPC;
	req->word = (u64)word;
	req->value = value;
	req->access = access;
	return request_run_receive(req);
}
